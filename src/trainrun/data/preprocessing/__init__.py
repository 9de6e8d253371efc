"""Preprocessing: from columns of a table to the inputs and the target of a net, fitted on training rows."""
