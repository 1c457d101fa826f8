"""Faster inference on a CPU without another result: folded batch norms, kept memory, one BLAS thread."""

from __future__ import annotations

import copy
import ctypes
import sys
from functools import cache
from itertools import pairwise

import torch
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h
_KEPT_FREE_BYTES = 1 << 29
_TOLERANCE = 1e-3  # of a logit; folding moves it by some 1e-6


@torch.no_grad()
def folded(network: nn.Module, side_px: int) -> nn.Module:
    """`network` in evaluation mode with every batch norm that directly follows a convolution computed into its weights
    (Jacob et al., CVPR 2018, section 3.2): one pass over the picture less for each.

    Which norm follows which convolution is read from the order of a module's children and then tried: where a crop of
    noise of `side_px` is answered differently, `network` is returned as it was.
    """
    draw = torch.Generator().manual_seed(0)
    probe = torch.randn((1, 3, side_px, side_px), generator=draw).to(next(network.parameters()).device)
    quick = copy.deepcopy(network)
    _fold(quick)
    alike = torch.allclose(network(probe).float(), quick(probe).float(), atol=_TOLERANCE)
    return quick.requires_grad_(False) if alike else network


def _fold(module: nn.Module) -> None:
    for (_, before), (name, after) in pairwise(list(module.named_children())):
        if not isinstance(before, nn.Conv2d) or not isinstance(after, nn.BatchNorm2d):
            continue
        if before.out_channels != after.num_features or after.running_mean is None:
            continue
        fused = fuse_conv_bn_eval(before, after)
        before.weight, before.bias = fused.weight, fused.bias
        # timm's norms carry the activation that follows them.
        rest = [getattr(after, part) for part in ("drop", "act") if isinstance(getattr(after, part, None), nn.Module)]
        setattr(module, name, nn.Sequential(*rest))
    for child in module.children():
        _fold(child)


@cache
def keep_freed_memory() -> bool:
    """Let the allocator keep up to 512 MiB of freed memory for the next batch; whether it could be told to.

    A network frees what a layer computed as soon as the next has read it. By default glibc gives such large blocks back
    to the kernel, which hands them out again zeroed, page by page: up to half of the time of a network on a CPU. One
    arena for all threads, so that they reuse each other's.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # a C library without it
        return False
    return all([mallopt(_M_ARENA_MAX, 1), mallopt(_M_MMAP_MAX, 0), mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE_BYTES)])


@cache
def limit_blas_threads() -> None:
    """Give numpy's linear algebra one thread, for the rest of the process.

    What is multiplied here beside the networks is small (a few regions by 64 x 64 places): handing it to two threads
    costs several times what it saves, in time that the second core owes to a network. PyTorch's own threads stay.
    """
    threadpool_limits(limits=1, user_api="blas")
