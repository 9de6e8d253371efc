"""Names that other tools use for our keys and values. `_`, `-`, blanks and capitals do not count."""

from __future__ import annotations

from collections.abc import Mapping


def bare(word: str) -> str:
    """A word as it is compared: small letters, without what only joins."""
    return word.lower().translate({ord(joint): None for joint in "_- "})


def _by_word(table: Mapping[str, str]) -> dict[str, str]:
    return {bare(word): ours for ours, words in table.items() for word in words.split()}


#: The key that a word means here.
KEYS = _by_word(
    {
        "name": "experiment experiment_name run_name",
        "extends": "include includes inherit inherits base parent defaults",
        "data": "dataset",
        "data.path": "train train_path train_data train_file data_path data_file file filename csv",
        "data.target": "label labels y label_column target_column class_column outcome",
        "data.valid": "validation validation_data val val_path valid_path val_data",
        "data.test": "test_data test_path test_file",
        "data.split.valid": "validation_split val_split validation_fraction val_size valid_size",
        "data.split.test": "test_size test_split test_fraction",
        "data.split.seed": "split_seed random_split",
        "data.split.group": "groups group_column",
        "normalization": "batch_norm batch_normalization layer_norm layer_normalization norm use_batch_norm",
        "averaging": "ema weight_averaging swa ema_decay polyak",
        "embeddings.categories": "cat_embeddings categorical_embeddings embedding_dim embedding_size",
        "embeddings.numbers": "num_embeddings numerical_embeddings plr ple",
        "shared_members": "tabm batch_ensemble batchensemble ensemble_size",
        "feature_scale": "front_scale scaling_layer",
        "data.scale": "normalize standardize scaler scaling preprocessing",
        "data.missing": "impute imputer imputation fillna",
        "data.na": "na_values null_values missing_values",
        "data.delimiter": "sep separator",
        "data.drop": "drop_columns ignore exclude skip_columns",
        "data.categorical": "categorical_columns categorical_features cat_features",
        "hidden": "layers units hidden_layers hidden_layer_sizes hidden_sizes hidden_dims hidden_units "
        "layer_sizes widths width architecture neurons dims hidden_size num_units",
        "activation": "activation_function activation_fn nonlinearity act hidden_activation",
        "initializer": "init weight_init weight_initializer kernel_initializer initialization "
        "weight_initialization",
        "bias_initializer": "bias_init bias_initialization",
        "dropout": "dropout_rate dropout_prob p_drop drop_rate dropouts",
        "dropout.input": "input_dropout dropout_input",
        "optimizer": "opt optim solver optimiser optimizer_name",
        "learning_rate": "lr eta learning_rate_init base_lr initial_lr initial_learning_rate step_size "
        "max_lr peak_lr",
        "schedule": "scheduler lr_schedule lr_scheduler lr_scheduler_type learning_rate_scheduler "
        "learning_rate_schedule lr_decay learning_rate_decay decay",
        "warmup": "warmup_steps warmup_epochs warmup_ratio num_warmup_steps lr_warmup",
        "regularization.l2 (or .l1)": "kernel_regularizer weight_regularizer regularizer penalty reg "
        "weight_penalty",
        "regularization.activity_l2 (or .activity_l1)": "activity_regularizer",
        "regularization.weight_decay": "wd decoupled_weight_decay",
        "regularization.l1": "l1_reg lambda_l1 reg_alpha",
        "regularization.l2": "l2_reg lambda_l2 reg_lambda",
        "gradient_clip": "grad_clip clipnorm global_clipnorm grad_clip_norm max_grad_norm gradient_clip_val "
        "clip_grad_norm clip gradient_clipping",
        "loss": "criterion loss_fn loss_function objective loss_name",
        "class_weight": "class_weights pos_weight scale_pos_weight",
        "metrics": "metric eval_metric eval_metrics scoring scorers",
        "early_stopping": "early_stop early_stopping_patience early_stopping_rounds n_iter_no_change "
        "callbacks",
        "early_stopping.start_from_epoch": "min_epochs",
        "early_stopping.min_delta": "tol threshold",
        "epochs": "epoch max_epochs max_epoch n_epochs num_epochs nb_epoch nb_epochs max_iter "
        "num_train_epochs n_iter",
        "batch_size": "batch bs bsz mini_batch mini_batch_size minibatch train_batch_size batchsize "
        "per_device_train_batch_size",
        "seed": "random_state random_seed rng_seed manual_seed rng",
        "device": "gpu gpus accelerator use_cuda cuda",
        "threads": "n_jobs num_threads n_threads num_workers workers",
        "first_decay (of the schedule), with its unit": "first_decay_steps t_0 first_cycle_steps",
        "decay_over (of the schedule), with its unit": "decay_steps total_steps t_max total_iters",
        "t_mul (of the schedule)": "t_mult cycle_mult",
        "end, alpha or min_lr (of the schedule)": "end_learning_rate eta_min min_learning_rate lr_min",
        "start_divisor (of the schedule)": "div_factor",
        "end_divisor (of the schedule)": "final_div_factor",
        "rise (of the schedule), such as 30%": "pct_start",
        "betas (of the optimizer), such as [0.9, 0.999]": "beta_1 beta_2 adam_beta1 adam_beta2",
        "eps (of the optimizer)": "epsilon adam_epsilon",
        "alpha (of the optimizer rmsprop)": "rho",
        "std (of the initializer)": "stddev sigma",
    }
)

#: Messages for words of other tools that have no key here.
REMARKS = _by_word(
    {
        "the best weights are always kept and restored: leave it out": "save_best save_best_only checkpoint "
        "checkpointing model_checkpoint restore_best_weights load_best_model_at_end",
        "how much is shown is said on the command line, by --progress": "verbose verbosity progress "
        "progress_bar",
        "where runs go is said on the command line, by --runs": "output_dir save_dir log_dir workdir "
        "run_dir runs",
        "how many seeds is said on the command line, by --seeds": "seeds n_seeds num_seeds repeats",
        "the loss takes the net's plain output: leave it out": "output_activation last_activation",
        "gradients are clipped by their norm: here it is gradient_clip": "clipvalue",
        "biases are not regularized: leave it out": "bias_regularizer",
        "rows are shuffled in every epoch: leave it out": "shuffle",
        "it is not offered here: leave it out": "amsgrad",
        "the net is said by hidden, activation and dropout": "model network net mlp",
        "the keys of training stand at the top: epochs, batch_size, ...": "trainer training hyperparameters "
        "params",
        "merge keys are not part of YAML 1.2: write the keys out, or use extends": "<<",
    }
)

#: The name that a word means here, by the registry's kind.
NAMES = {
    "activation": _by_word(
        {
            "identity": "none",
            "sigmoid": "logistic",
            "silu": "hard_swish",
            "relu": "rectifier",
            "leaky_relu": "prelu",
        }
    ),
    "initializer": _by_word(
        {
            "xavier_normal or xavier_uniform": "xavier glorot",
            "he_normal or he_uniform": "he kaiming",
            "lecun_normal or lecun_uniform": "lecun",
            "normal": "random_normal gaussian",
            "uniform": "random_uniform",
            "truncated_normal": "trunc_normal",
            "zeros": "zero",
            "ones": "one",
            "identity": "eye",
            "torch_default": "default pytorch torch",
        }
    ),
    "schedule": _by_word(
        {
            "constant": "none fixed",
            "cosine": "cosine_annealing CosineAnnealingLR cosine_decay",
            "cosine_restarts": "CosineAnnealingWarmRestarts cosine_decay_restarts sgdr",
            "exponential": "ExponentialLR exponential_decay",
            "inverse_time": "inverse_time_decay invscaling",
            "polynomial": "polynomial_decay PolynomialLR poly",
            "linear": "LinearLR linear_decay",
            "step": "StepLR step_decay",
            "multistep": "MultiStepLR",
            "piecewise": "piecewise_constant_decay piecewise_constant",
            "one_cycle": "OneCycleLR 1cycle super_convergence",
            "inverse_sqrt": "noam",
            "reduce_on_plateau": "reduce_lr_on_plateau plateau adaptive",
        }
    ),
    "optimizer": _by_word({"sgd, with its setting momentum": "momentum nesterov"}),
    "loss": _by_word(
        {
            "cross_entropy": "sparse_categorical_crossentropy categorical_crossentropy binary_crossentropy "
            "CrossEntropyLoss NLLLoss bce bce_with_logits log_loss nll ce xent softmax logistic",
            "mse": "mean_squared_error squared_error MSELoss l2",
            "mae": "mean_absolute_error absolute_error L1Loss l1",
            "huber": "smooth_l1 SmoothL1Loss HuberLoss",
        }
    ),
    "metric": _by_word(
        {
            "accuracy": "acc categorical_accuracy sparse_categorical_accuracy binary_accuracy",
            "f1_macro": "f1 f1_score macro_f1",
            "auc": "roc_auc auroc auc_roc",
            "rmse": "root_mean_squared_error mse mean_squared_error",
            "mae": "mean_absolute_error",
            "r2": "r2_score",
            "balanced_accuracy": "balanced_acc",
        }
    ),
}
