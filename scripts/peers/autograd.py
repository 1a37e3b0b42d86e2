"""The models of `models.py` trained by PyTorch's autograd, as fast as we could make them on a CPU.

The forward pass is that of `models.py`, without padding, and with the attention unit's first layer split.
What makes training fast:

- What is looked up is a leaf, so that its gradient is one of rows: a step costs what the batch's rows cost,
  whatever the size of the tables. The rows of the table are then updated in place.
- So is the mean of the behaviors, where a model pools by it: no weight comes before it.
- The derivative by the logits is the gradient of the item biases, too.
- The unit's first layer is four weights, so that their gradients are not copied into one.
- All dense weights are updated by one operation for each rate.

Measured against this and not faster on one thread: `torch.jit.trace` of the forward, sums over
behaviors by `embedding_bag`, one lookup for both things that a behavior needs of its row's candidate,
one product of [k, q * k] instead of two, and the derivative of the loss written out.

Called outside of `torch.inference_mode`, unlike `models.py`.
"""
import torch
import torch.nn.functional as F

import models

SPARSE = ("table", "item_bias")


class Trained:
    """Comes before a model's class of `models.py`, whose pool and backward pass it replaces."""

    def __init__(self, weights, rate):
        super().__init__(weights, rate)
        # Weights by their rate: one that is kept s times as large has a rate s * s times as large.
        self.groups = {}
        for name, weight in self.named_buffers():
            if name not in SPARSE and weight.is_floating_point():
                size = self.size(name)
                self.groups.setdefault(rate * size * size, []).append(weight.requires_grad_())
        self.trained = [weight for group in self.groups.values() for weight in group]

    def size(self, name):
        return models.FROZEN if name.endswith("normalization.scale") else 1.0

    def step(self, *batch):
        """One step of SGD; gives the logits before it."""
        batch = self.Batch(*batch)
        with torch.no_grad():
            leaves = self.look_up(batch)
        for leaf in leaves:
            leaf.requires_grad_()
        logits = self.top(batch, *self.pool(batch, *leaves))[0]
        loss = F.binary_cross_entropy_with_logits(logits, batch.labels)
        gradients = torch.autograd.grad(loss, [logits, *leaves, *self.trained])
        with torch.no_grad():
            self.item_bias.index_add_(0, batch.candidates, gradients[0], alpha=-self.rate)
            done = 1 + len(leaves)
            self.update_table(batch, *gradients[1:done])
            for rate, group in self.groups.items():
                torch._foreach_add_(group, gradients[done : done + len(group)], alpha=-rate)
                done += len(group)
        return logits.detach()


class Means(Trained):
    def look_up(self, batch):
        vectors = models.bag(self.table, batch.ids, batch.offsets, batch.shares)
        return vectors.view(2, batch.labels.shape[0], -1).unbind()

    def pool(self, batch, pooled, candidate):
        return pooled, candidate

    def update_table(self, batch, pooled, candidate):
        vectors = torch.cat([pooled, candidate]).view(-1, self.table.shape[1])
        rows = models.bag(vectors, batch.back_bags, batch.back_offsets, batch.back_shares)
        self.table.index_add_(0, batch.distinct, rows, alpha=-self.rate)


class BaseModel(Means, models.BaseModel):
    pass


class Pnn(Means, models.Pnn):
    pass


class WideDeep(Means, models.WideDeep):
    pass


class DeepFm(Means, models.DeepFm):
    pass


class UnitParts(models.Din):
    """DIN with each part of the unit's first layer as a weight of its own."""

    def __init__(self, weights, rate):
        super().__init__(weights, rate)
        for number, part in enumerate(self.unit_weight.view(4, self.width, -1).unbind(), 1):
            self.register_buffer(f"w{number}", part.clone())
        del self.unit_weight


class Din(Trained, UnitParts):
    def size(self, name):
        return self.scale if name == "unit_output" else super().size(name)

    def look_up(self, batch):
        vectors = models.bag(self.table, batch.pairs, batch.single).view(-1, self.width)
        events = batch.row.shape[0]
        return vectors[:events], vectors[events:]

    def pool(self, batch, k, q):
        query_part = torch.addmm(self.unit_bias, q, self.w1 + self.w3)
        first = query_part.index_select(0, batch.row)
        first = torch.addmm(first, k, self.w2 - self.w3)
        first = torch.addmm(first, k * q.index_select(0, batch.row), self.w4).sigmoid_()
        second = self.unit_second(first).sigmoid_()
        # Sigmoids bound the scores, so that exp cannot overflow before the weights reach hundreds.
        shares = torch.mv(second, self.unit_output).exp()
        sums = shares.new_zeros(q.shape[0]).index_add(0, batch.row, shares)
        shares = shares / sums.index_select(0, batch.row)
        return torch.zeros_like(q).index_add(0, batch.row, k * shares[:, None]), q

    def update_table(self, batch, k, q):
        """Two updates are faster than one after the gradients are copied together."""
        events, dim = 2 * k.shape[0], self.table.shape[1]
        self.table.index_add_(0, batch.pairs[:events], k.view(-1, dim), alpha=-self.rate)
        self.table.index_add_(0, batch.pairs[events:], q.view(-1, dim), alpha=-self.rate)


MODELS = {
    "base_model": BaseModel,
    "wide_deep": WideDeep,
    "pnn": Pnn,
    "deepfm": DeepFm,
    "din": Din,
}
