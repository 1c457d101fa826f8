"""Recurrent sequence network: frame features -> two-way LSTM or GRU -> temporal attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from detector.models.build import architecture
from detector.models.feature_reader import CHANNELS, FeatureReader, in_order
from detector.models.outputs import SequenceOutput
from detector.models.sequence import AttentionPooling, Heads

Cell = Literal["lstm", "gru"]


class TwoWayRecurrence(nn.Module):
    """Both directions over present frames only: (B, T, C), lengths (B,) -> (B, T, 2 x hidden), 0 where absent."""

    def __init__(self, inputs: int, hidden: int, layers: int, cell: Cell, dropout: float) -> None:
        super().__init__()
        kinds: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
        if cell not in kinds:
            raise ValueError(f"cell: expected lstm or gru, found {cell!r}")
        between = dropout if layers > 1 else 0.0
        self.cells = kinds[cell](inputs, hidden, layers, batch_first=True, bidirectional=True, dropout=between)
        self.outputs = 2 * hidden

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """States (B, T, 2 x hidden) of inputs (B, T, C), `lengths` (B,) of them present."""
        # Packed, so that the backward direction starts at the last present frame and not in the padding.
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.cells(packed)[0], batch_first=True, total_length=x.shape[1])
        return states


@architecture("lstm")
class RecurrentNet(nn.Module):
    """Features -> layer norm -> two-way LSTM (or GRU) -> layer norm -> temporal attention -> logit.

    After Güera & Delp, AVSS 2018, who put an LSTM on a CNN's features. A recurrence counts steps, so the seconds to the
    frames before and after are part of what it reads. forward_all: (B, T, `features`) trunk features, (B, T) seconds,
    (B, T) present -> `SequenceOutput`. `channels`, `witness` and `looks` as in `FeatureReader`.
    """

    def __init__(
        self,
        features: int = 512,
        *,
        hidden: int = 256,
        layers: int = 2,
        cell: Cell = "lstm",
        projection: int = 0,
        dropout: float = 0.3,
        channels: Sequence[str] = CHANNELS,
        witness: int = 0,
        looks: int = 0,
    ) -> None:
        super().__init__()
        self.reader = FeatureReader(features, channels, gaps=True, witness=witness, looks=looks)
        inputs = projection or self.reader.outputs
        self.embed = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(self.reader.outputs, projection) if projection else nn.Identity(),
            nn.LayerNorm(inputs),
        )
        self.recurrence = TwoWayRecurrence(inputs, hidden, layers, cell, dropout)
        self.norm = nn.LayerNorm(self.recurrence.outputs)
        self.pool = AttentionPooling(self.recurrence.outputs)
        self.heads = Heads(self.recurrence.outputs, dropout, with_witness=witness > 0)

    def forward_all(self, features: Tensor, times_s: Tensor, present: Tensor) -> SequenceOutput:
        """Logit, logits of frames and pooling; features (B, T, D), times (B, T) in s, present (B, T) bool."""
        frames = in_order(features, times_s, present)
        x = self.embed(self.reader(frames))  # (B, T, inputs)
        states = self.norm(self.recurrence(x, frames.lengths))  # (B, T, 2 x hidden)
        pooled, pooling = self.pool(states, frames.present)
        logit, frame_logit = self.heads(pooled, states, pooling, self.reader.witness_logit(frames))
        return SequenceOutput(logit, frames.as_given(frame_logit), frames.as_given(pooling))

    def forward(self, features: Tensor, times_s: Tensor, present: Tensor) -> Tensor:
        """-> (B,) logits of P(manipulated)."""
        return self.forward_all(features, times_s, present).logit
