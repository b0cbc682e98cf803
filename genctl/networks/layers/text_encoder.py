"""A small transformer that turns words into a code: Vaswani et al. 2017."""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, gelu, scaled_dot_product_attention

from genctl.networks.layers.encoders import NoLogits
from genctl.networks.layers.normalize import normalize


class TextEncoder(nn.Module):
    """Word and position embeddings, blocks, the mean over words, a linear layer.

    A linear classifier of the code predicts what the caption says.
    """

    def __init__(
        self,
        vocabulary_size: int,
        max_words: int,
        width: int,
        heads: int,
        blocks: int,
        code_dim: int,
        num_logits: int,
    ) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.randn(1 + vocabulary_size, width))  # the first is no word
        self.positions = nn.Parameter(torch.randn(max_words, width) * 0.1)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.to_code = nn.Linear(width, code_dim)
        self.head: nn.Module = nn.Linear(code_dim, num_logits) if num_logits else NoLogits()

    def forward(self, tokens: Tensor) -> Tensor:
        """Words (B, max_words) int64, 0 after the last one -> codes (B, code_dim)."""
        # Without a word the first place counts, so that no mean is over nothing.
        present = (tokens > 0) | (torch.arange(tokens.shape[1], device=tokens.device) == 0)
        features = embedding(tokens, self.words) + self.positions
        mask = present[:, None, None, :]
        for block in self.blocks:
            features = block(features, mask)
        weight = present[:, :, None].to(features)
        mean = (self.norm(features) * weight).sum(dim=1) / weight.sum(dim=1)
        return normalize(self.to_code(mean))

    def classify(self, code: Tensor) -> Tensor:
        """Codes (B, code_dim) -> logits (B, num_logits)."""
        logits: Tensor = self.head(code).float()
        return logits


class Block(nn.Module):
    """Self-attention and two linear layers, each with layer normalization before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_qkv, self.from_heads = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Features (B, L, width), mask (B, 1, 1, L) of places to attend to -> features."""
        qkv = self.to_qkv(self.attention_norm(features))
        qkv = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, heads, L, d)
        attended = scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], attn_mask=mask)
        features = features + self.from_heads(attended.transpose(1, 2).flatten(2))
        output: Tensor = features + self.contract(gelu(self.expand(self.norm(features))))
        return output
