"""Errors: which failures are a lack of memory."""

import numpy as np
import pytest
import torch

from trainrun.errors import ResourceError, as_out_of_memory

TOO_MANY = 2**50


@pytest.mark.parametrize("allocate", [torch.empty, np.empty])
def test_an_allocation_that_fails_is_out_of_memory(allocate):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        allocate(TOO_MANY)
    assert str(as_out_of_memory(caught.value, "training net")) == "out of memory while training net"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("of whatever device"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_errors_of_a_gpu_and_of_python(error):
    assert isinstance(as_out_of_memory(error, "training net"), ResourceError)


def test_what_was_recognized_before_keeps_its_words():
    error = ResourceError("a process was ended")
    assert as_out_of_memory(error, "training net") is error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("required memory format is channels_last"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        ValueError("CUDA error: out of memory"),
    ],
)
def test_other_errors_are_raised_again(error):
    with pytest.raises(type(error), match=str(error)):
        as_out_of_memory(error, "training net")
