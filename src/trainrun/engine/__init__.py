"""The engine: trains a plan. The only folder that imports torch when it is imported.

It knows no YAML, no names, no files and no console; it takes arrays and yields events.

Shape suffixes in this folder: K members of a stack, B rows of a batch, N rows of a part, I inputs and O
outputs of a layer, C outputs of the net, D numbers of the stack's flat buffers, T steps.
"""
