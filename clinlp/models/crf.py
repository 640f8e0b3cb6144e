"""A linear-chain CRF over BIOES tags, vectorised over windows.

Source: Lafferty, McCallum & Pereira (2001); Huang, Xu & Yu (2015), arXiv 1508.01991.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clinlp.models.crf_numpy import best_paths, tag_marginals

_FORBIDDEN = -1e4  # far below any path, yet finite: no inf - inf in gradients
_TINY = 1e-37
_TINIEST = 1e-300  # of a float64


class Crf(nn.Module):
    """Scores tag sequences; impossible steps of the scheme are ruled out, not learned.

    Always computes in float32: sums of many log terms lose too much in bf16.
    """

    forbidden: Tensor
    forbidden_start: Tensor
    forbidden_end: Tensor

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        n_tags = 1 + 4 * n_labels
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.starts = nn.Parameter(torch.zeros(n_tags))
        self.ends = nn.Parameter(torch.zeros(n_tags))
        steps, starts, ends = ((~rule).float() * _FORBIDDEN for rule in allowed(n_labels))
        self.register_buffer("forbidden", steps, persistent=False)
        self.register_buffer("forbidden_start", starts, persistent=False)
        self.register_buffer("forbidden_end", ends, persistent=False)

    def negative_log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Sum the negative log-likelihood of the given tags over the windows.

        Args:
            emissions: `(window, piece, tag)`.
            tags: `(window, piece)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real; the first always is.

        Returns:
            A scalar.
        """
        emissions = emissions.float()
        # A GPU spends its time on starting kernels: few large products there, many small ones on a CPU.
        partition = self._partition_by_halves if emissions.device.type == "cuda" else self._partition
        return (partition(emissions, mask) - self._path_score(emissions, tags, mask)).sum()

    def partial_negative_log_likelihood(self, emissions: Tensor, possible: Tensor, mask: Tensor) -> Tensor:
        """Sum over the windows the negative log of the probability of all paths through possible tags.

        Source: Tsuboi et al. (2008), COLING, section 4: the likelihood of a sequence that is annotated in part.

        Args:
            emissions: `(window, piece, tag)`.
            possible: `(window, piece, tag)`, bool; one tag alone where the annotation says which.
            mask: `(window, piece)`, bool, True where a piece is real; the first always is.

        Returns:
            A scalar.
        """
        emissions = emissions.float()
        both = torch.cat([emissions, emissions.masked_fill(~possible, _FORBIDDEN)])  # in the same steps
        partition = self._partition_by_halves if emissions.device.type == "cuda" else self._partition
        every, within = partition(both, mask.repeat(2, 1)).chunk(2)
        return (every - within).sum()

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Give the probability of every tag at every piece by the forward-backward algorithm.

        Returns:
            `(window, piece, tag)`; rows of padding hold no meaning.
        """
        emissions = emissions.float()
        if _by_numpy(emissions):
            found = tag_marginals(emissions.numpy(), mask.numpy(), *self._scores())
            if found is not None:
                return torch.from_numpy(found)
        forwards = torch.stack(self._forward(emissions, mask), 1)
        backwards = torch.stack(self._backward(emissions, mask), 1)
        return torch.softmax(forwards + backwards, -1)

    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Find the best path (Viterbi 1967).

        Returns:
            Tags `(window, piece)`, int64; 0 where a piece is padding.
        """
        emissions = emissions.float()
        if _by_numpy(emissions):
            return torch.from_numpy(best_paths(emissions.numpy(), mask.numpy(), *self._scores()))
        steps = self.transitions + self.forbidden
        said = emissions.unbind(1)
        best = said[0] + self.starts + self.forbidden_start
        pointers = []
        stay = torch.arange(best.shape[1], device=best.device).expand_as(best)
        for piece in range(1, len(said)):
            reached, pointer = (best[:, :, None] + steps).max(1)
            real = mask[:, piece, None]
            best = torch.where(real, reached + said[piece], best)
            pointers.append(torch.where(real, pointer, stay))
        tag = (best + self.ends + self.forbidden_end).argmax(1)
        path = [tag]
        for pointer in reversed(pointers):
            tag = pointer.gather(1, tag[:, None])[:, 0]
            path.append(tag)
        return torch.stack(path[::-1], 1) * mask

    def _scores(self) -> tuple[NDArray[np.float32], ...]:
        """The scores of steps, starts and ends, rules included."""
        pairs = (
            (self.transitions, self.forbidden),
            (self.starts, self.forbidden_start),
            (self.ends, self.forbidden_end),
        )
        return tuple((learned.detach() + rule).float().numpy() for learned, rule in pairs)

    def _path_score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Score the given path of each window, `(window,)`."""
        real = mask.float()
        said = emissions.gather(2, tags[:, :, None])[:, :, 0]
        steps = (self.transitions + self.forbidden)[tags[:, :-1], tags[:, 1:]]
        last = tags.gather(1, mask.sum(1, keepdim=True) - 1)[:, 0]
        edges = (self.starts + self.forbidden_start)[tags[:, 0]] + (self.ends + self.forbidden_end)[last]
        return (said * real).sum(1) + (steps * real[:, 1:]).sum(1) + edges

    def _partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Sum over all paths of each window, in logs, `(window,)`."""
        return torch.logsumexp(self._forward(emissions, mask)[-1] + self.ends + self.forbidden_end, 1)

    def _partition_by_halves(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Give what `_partition` does in as many steps as the length can be halved.

        Every piece is a matrix from tag to tag, and matrices are multiplied pair by pair (Särkkä & García-Fernández
        2021, arXiv 2102.05743), in float64: what a float32 rounds to nothing may be all that a window's rest leaves.
        """
        n_tags = len(self.starts)
        nothing = torch.full((n_tags, n_tags), _FORBIDDEN, dtype=torch.float64, device=emissions.device)
        nothing.fill_diagonal_(0.0)  # padding: every tag stays what it is
        said = emissions.double()
        steps = torch.where(mask[:, 1:, None, None], (self.transitions + self.forbidden) + said[:, 1:, None], nothing)
        while steps.shape[1] > 1:
            odd = steps[:, steps.shape[1] // 2 * 2 :]
            left, right = steps[:, 0 : steps.shape[1] - 1 : 2], steps[:, 1::2]
            tops = left.amax(3, keepdim=True).detach(), right.amax(2, keepdim=True).detach()
            product = torch.exp(left - tops[0]) @ torch.exp(right - tops[1])
            steps = torch.cat([torch.log(product.clamp_min(_TINIEST)) + tops[0] + tops[1], odd], 1)
        reach = said[:, 0] + self.starts + self.forbidden_start
        if steps.shape[1]:
            reach = torch.logsumexp(reach[:, :, None] + steps[:, 0], 1)
        return torch.logsumexp(reach + self.ends + self.forbidden_end, 1)

    def _forward(self, emissions: Tensor, mask: Tensor) -> list[Tensor]:
        """Log-sum of the paths that reach each tag of each piece, emission included.

        A step is a matrix product of exponentials scaled by their maximum: the same value as a
        log-sum-exp over `(window, tag, tag)` at a fraction of its cost.
        """
        steps = torch.exp(self.transitions + self.forbidden)
        said = emissions.unbind(1)  # its gradient is one tensor; that of emissions[:, piece] would be one a piece
        reach = said[0] + self.starts + self.forbidden_start
        reaches = [reach]
        for piece in range(1, len(said)):
            top = reach.amax(1, keepdim=True).detach()
            reached = torch.log((torch.exp(reach - top) @ steps).clamp_min(_TINY)) + top + said[piece]
            reach = torch.where(mask[:, piece, None], reached, reach)
            reaches.append(reach)
        return reaches

    def _backward(self, emissions: Tensor, mask: Tensor) -> list[Tensor]:
        """Log-sum of the paths from each tag of each piece to the end, its own emission left out."""
        steps = torch.exp(self.transitions + self.forbidden).T.contiguous()
        ends = (self.ends + self.forbidden_end).expand(emissions.shape[0], -1)
        rest = ends
        rests = [rest]
        for piece in range(emissions.shape[1] - 1, 0, -1):
            onward = rest + emissions[:, piece]
            top = onward.amax(1, keepdim=True)
            came = torch.log((torch.exp(onward - top) @ steps).clamp_min(_TINY)) + top
            rest = torch.where(mask[:, piece, None], came, ends)
            rests.append(rest)
        return rests[::-1]


def _by_numpy(emissions: Tensor) -> bool:
    """Whether there are no gradients to keep, and no other device to ask."""
    return emissions.device.type == "cpu" and not torch.is_grad_enabled() and not emissions.requires_grad


def allowed(n_labels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Say which tag may follow which, start a sequence and end it.

    Tags are laid out as in `clinlp.tagging.scheme`: 0 is O, then B, I, E and S of each label.

    Returns:
        Transitions `(tag, tag)` from row to column, starts `(tag,)` and ends `(tag,)`, all bool.
    """
    tags = torch.arange(4 * n_labels)
    part, kind = tags % 4, tags // 4
    outside = torch.ones(1, dtype=torch.bool)
    begins = torch.cat([outside, (part == 0) | (part == 3)])  # may open: O, B, S
    closes = torch.cat([outside, part >= 2])  # may close: O, E, S
    transitions = closes[:, None] & begins[None, :]
    opened, goes_on = part < 2, (part == 1) | (part == 2)
    transitions[1:, 1:] |= opened[:, None] & goes_on[None, :] & (kind[:, None] == kind[None, :])
    return transitions, begins, closes
