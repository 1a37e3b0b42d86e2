"""BaseModel, Wide&Deep, PNN, DeepFM and DIN in PyTorch, as fast as we could make them on a CPU.

Mathematically these are the default configurations of our crates under plain SGD. What makes them fast:

- No padding: one row a behavior. Sums over a row's behaviors are `embedding_bag`, the fastest segmented
  sum there is on a CPU.
- Goods and categories lie in one table, and ids come in pairs, so that one lookup gives both parts of an
  embedding side by side, and one update takes them back.
- The backward pass is written out, without autograd. The derivative of the loss is scaled by minus the
  learning rate at its root, so that a gradient's matrix product adds to the weight directly: there is no
  gradient in memory, no optimizer pass, and nothing to set to zero.
- A frozen normalization keeps its scale times 1/sqrt(1.001) as one number, and the last layer of the
  attention unit its 1/sqrt(d). A weight kept s times as large has a rate s * s times as large.
- The first layer of the attention unit on [q, k, q - k, q * k] is split:
  (W1 + W3) q once a row, (W2 - W3) k + W4 (q * k) once a behavior.

Everything must be made and called under `torch.inference_mode`. Weights are buffers of modules, so that
`torch.jit.trace_module` sees them change.
"""
import math

import torch
from torch import nn
from torch.ops import aten

import batches

FROZEN = 1 / math.sqrt(1.001)


def bag(table, ids, offsets, weights=None):
    """Sums of rows of a table, one a bag."""
    return torch.embedding_bag(
        table, ids, offsets, mode=0, per_sample_weights=weights, include_last_offset=True
    )[0]


class Dense(nn.Module):
    def __init__(self, weights, name):
        super().__init__()
        self.register_buffer("weight", weights[name + "/weight"].clone())
        self.register_buffer("bias", weights[name + "/bias"][0].clone())

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight)

    def backward(self, gradient, x):
        """The gradient of x; the layer is then updated."""
        back = gradient @ self.weight.t()
        self.weight.addmm_(x.t(), gradient)
        self.bias.add_(gradient.sum(0))
        return back


class Normalization(nn.Module):
    def __init__(self, weights, name):
        super().__init__()
        self.register_buffer("scale", weights[name + "/normalization/gamma"][0] * FROZEN)
        self.register_buffer("bias", weights[name + "/normalization/beta"][0].clone())

    def forward(self, x):
        return torch.addcmul(self.bias, x, self.scale)

    def backward(self, gradient, x):
        back = gradient * self.scale
        self.scale.add_((gradient * x).sum(0), alpha=FROZEN * FROZEN)
        self.bias.add_(gradient.sum(0))
        return back


class Output(nn.Module):
    """A layer of one output: a vector and a number."""

    def __init__(self, weights, name):
        super().__init__()
        self.register_buffer("weight", weights[name + "/weight"][:, 0].clone())
        self.register_buffer("bias", weights[name + "/bias"][0].clone())

    def backward(self, gradient, x, total):
        back = torch.outer(gradient, self.weight)
        self.weight.addmv_(x.t(), gradient)
        self.bias.add_(total)
        return back


class Model(nn.Module):
    """What all have in common. Subclasses give the user vector before its normalization."""

    product = False

    def __init__(self, weights, rate):
        super().__init__()
        self.rate = rate
        table = torch.cat([weights["embedding/goods_id"], weights["embedding/cate_id"]])
        self.register_buffer("table", table)
        self.register_buffer("item_bias", weights["item_bias"][:, 0].clone())
        self.user_normalization = Normalization(weights, "user")
        self.projection = Dense(weights, "user/projection")
        self.input_normalization = Normalization(weights, "mlp")
        self.first, self.second = Dense(weights, "mlp/0"), Dense(weights, "mlp/1")
        self.output = Output(weights, "mlp/output")

    def score(self, *batch):
        """Logits."""
        batch = self.Batch(*batch)
        pooled, candidate, _ = self.pool(batch)
        return self.top(batch, pooled, candidate)[0]

    def step(self, *batch):
        """One step of SGD; gives the logits before it."""
        batch = self.Batch(*batch)
        pooled, candidate, kept_by_pool = self.pool(batch)
        logits, kept_by_top = self.top(batch, pooled, candidate)
        gradient = torch.sub(batch.labels, logits.sigmoid()).mul_(self.rate / len(logits))
        pooled, candidate = self.top_backward(batch, gradient, kept_by_top)
        self.pool_backward(batch, pooled, candidate, kept_by_pool)
        return logits

    def top(self, batch, pooled, candidate):
        normalized = self.user_normalization(pooled)
        user = self.projection(normalized)
        blocks = [user, candidate] + ([user * candidate] if self.product else [])
        x = torch.cat(blocks, 1)
        x_normalized = self.input_normalization(x)
        first = self.first(x_normalized).sigmoid_()
        second = self.second(first).sigmoid_()
        logits = self.item_bias.index_select(0, batch.candidates)
        logits = logits.addmv_(second, self.output.weight).add_(self.output.bias)
        logits, kept = self.side(logits, user, candidate)
        return logits, (pooled, candidate, normalized, user, x, x_normalized, first, second, kept)

    def top_backward(self, batch, gradient, kept):
        pooled, candidate, normalized, user, x, x_normalized, first, second, kept = kept
        total = gradient.sum()
        self.item_bias.index_add_(0, batch.candidates, gradient)
        back = self.output.backward(gradient, second, total)
        back = self.second.backward(aten.sigmoid_backward(back, second), first)
        back = self.first.backward(aten.sigmoid_backward(back, first), x_normalized)
        back = self.input_normalization.backward(back, x)
        width = user.shape[1]
        user_gradient, candidate_gradient = back[:, :width], back[:, width : 2 * width]
        if self.product:
            product_gradient = back[:, 2 * width :]
            user_gradient = torch.addcmul(user_gradient, product_gradient, candidate)
            candidate_gradient = torch.addcmul(candidate_gradient, product_gradient, user)
        self.side_backward(gradient, total, user, candidate, user_gradient, candidate_gradient, kept)
        back = self.projection.backward(user_gradient, normalized)
        return self.user_normalization.backward(back, pooled), candidate_gradient

    def side(self, logits, user, candidate):
        return logits, None

    def side_backward(self, gradient, total, user, candidate, to_user, to_candidate, kept):
        pass


class BaseModel(Model):
    """The mean of the behaviors."""

    Batch, batch_of = batches.Bags, staticmethod(batches.bags)

    def pool(self, batch):
        vectors = bag(self.table, batch.ids, batch.offsets, batch.shares)
        both = vectors.view(2, batch.labels.shape[0], -1)
        return both[0], both[1], None

    def pool_backward(self, batch, pooled, candidate, _):
        vectors = torch.cat([pooled, candidate]).view(-1, self.table.shape[1])
        rows = bag(vectors, batch.back_bags, batch.back_offsets, batch.back_shares)
        self.table.index_add_(0, batch.distinct, rows)


class Pnn(BaseModel):
    product = True


class WideDeep(BaseModel):
    """The authors' wide part: a linear layer on the first, last and middle coordinate of u * i."""

    def __init__(self, weights, rate):
        super().__init__(weights, rate)
        self.wide = Output(weights, "wide/dense")
        width = 2 * self.table.shape[1]
        self.register_buffer("columns", torch.tensor([0, width - 1, width // 2]))

    def side(self, logits, user, candidate):
        left, right = user.index_select(1, self.columns), candidate.index_select(1, self.columns)
        product = left * right
        logits = logits.addmv_(product, self.wide.weight).add_(self.wide.bias)
        return logits, (left, right, product)

    def side_backward(self, gradient, total, user, candidate, to_user, to_candidate, kept):
        left, right, product = kept
        back = self.wide.backward(gradient, product, total)
        to_user.index_add_(1, self.columns, back * right)
        to_candidate.index_add_(1, self.columns, back * left)


class DeepFm(BaseModel):
    """The authors' factorization machine: a linear layer on [sum of u * i, u_0 + i_0]."""

    def __init__(self, weights, rate):
        super().__init__(weights, rate)
        self.machine = Output(weights, "fm/dense")

    def side(self, logits, user, candidate):
        both = torch.stack([(user * candidate).sum(1), user[:, 0] + candidate[:, 0]], 1)
        return logits.addmv_(both, self.machine.weight).add_(self.machine.bias), both

    def side_backward(self, gradient, total, user, candidate, to_user, to_candidate, kept):
        back = self.machine.backward(gradient, kept, total)
        products, sums = back[:, :1], back[:, 1]
        to_user.addcmul_(products, candidate)[:, 0].add_(sums)
        to_candidate.addcmul_(products, user)[:, 0].add_(sums)


class Din(Model):
    """Attention over the behaviors, and the product u * i in the MLP's input."""

    product = True
    Batch, batch_of = batches.Events, staticmethod(batches.events)

    def __init__(self, weights, rate):
        super().__init__(weights, rate)
        self.width = 2 * self.table.shape[1]
        self.register_buffer("unit_weight", weights["activation_unit/first/weight"].clone())
        self.register_buffer("unit_bias", weights["activation_unit/first/bias"][0].clone())
        self.unit_second = Dense(weights, "activation_unit/rest/0")
        # The output's bias is left out: a softmax neither sees nor trains it.
        self.scale = 1 / math.sqrt(self.width)
        output = weights["activation_unit/rest/output/weight"][:, 0]
        self.register_buffer("unit_output", output * self.scale)

    def pool(self, batch):
        events, width = batch.row.shape[0], self.width
        vectors = bag(self.table, batch.pairs, batch.single).view(-1, width)
        k, q = vectors[:events], vectors[events:]
        w1, w2, w3, w4 = self.unit_weight.view(4, width, -1).unbind()
        query_weight, behavior_weight = w1 + w3, w2 - w3
        q_of_event = q.index_select(0, batch.row)
        product = k * q_of_event
        query_part = torch.addmm(self.unit_bias, q, query_weight)
        first = query_part.index_select(0, batch.row)
        first = first.addmm_(k, behavior_weight).addmm_(product, w4).sigmoid_()
        second = self.unit_second(first).sigmoid_()
        # Sigmoids bound the scores, so that exp cannot overflow before the weights reach hundreds.
        shares = torch.mv(second, self.unit_output).exp_()
        sums = bag(shares.view(-1, 1), batch.places, batch.offsets)[:, 0]
        shares = shares.div_(sums.index_select(0, batch.row))
        pooled = bag(k, batch.places, batch.offsets, shares)
        kept = (k, q_of_event, product, query_weight, behavior_weight, first, second, shares, pooled)
        return pooled, q, (q, kept)

    def pool_backward(self, batch, pooled_gradient, candidate_gradient, kept):
        q, kept = kept
        k, q_of_event, product, query_weight, behavior_weight, first, second, shares, pooled = kept
        of_event = pooled_gradient.index_select(0, batch.row)
        mean = (pooled_gradient * pooled).sum(1).index_select(0, batch.row)
        scores = (of_event * k).sum(1).sub_(mean).mul_(shares)
        back = torch.outer(scores, self.unit_output)
        self.unit_output.addmv_(second.t(), scores, alpha=self.scale * self.scale)
        back = self.unit_second.backward(aten.sigmoid_backward(back, second), first)
        back = aten.sigmoid_backward(back, first)
        of_row = bag(back, batch.places, batch.offsets)

        w1, w2, w3, w4 = self.unit_weight.view(4, self.width, -1).unbind()
        events = batch.row.shape[0]
        vectors = torch.empty(events + q.shape[0], self.width)
        to_k, to_q = vectors[:events], vectors[events:]
        torch.mm(back, behavior_weight.t(), out=to_k)
        product_gradient = back @ w4.t()
        torch.addmm(candidate_gradient, of_row, query_weight.t(), out=to_q)
        to_k.addcmul_(product_gradient, q_of_event).addcmul_(of_event, shares[:, None])
        to_q.add_(bag(product_gradient.mul_(k), batch.places, batch.offsets))

        query_gradient, behavior_gradient = q.t() @ of_row, k.t() @ back
        w1.add_(query_gradient)
        w2.add_(behavior_gradient)
        w3.add_(query_gradient).sub_(behavior_gradient)
        w4.addmm_(product.t(), back)
        self.unit_bias.add_(of_row.sum(0))
        self.table.index_add_(0, batch.pairs, vectors.view(-1, self.table.shape[1]))


MODELS = {
    "base_model": BaseModel,
    "wide_deep": WideDeep,
    "pnn": Pnn,
    "deepfm": DeepFm,
    "din": Din,
}
