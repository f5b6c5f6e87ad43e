# PyTorch on so many threads as its argument says, behind the protocol of bench/serve.ts.
import sys
import time

import numpy as np
import torch

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
torch.set_num_threads(THREADS)


def numbers(count, seed, low, high):
    h = (np.arange(count, dtype=np.uint64) + seed * 0x9E3779B9 & 0xFFFFFFFF).astype(np.uint32)
    h = (h ^ h >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    h = (h ^ h >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    h = h ^ h >> np.uint32(16)
    return (low + (high - low) * (h.astype(np.float64) / 2.0**32)).astype(np.float32)


def corners(c):
    flat = c.reshape(-1)
    return [flat[i].item() for i in (0, flat.numel() // 2, flat.numel() - 1)]


class Matmul:
    def __init__(self, m, k, n):
        self.a = torch.from_numpy(numbers(m * k, 1, -1, 1)).reshape(m, k)
        self.b = torch.from_numpy(numbers(k * n, 2, -1, 1)).reshape(k, n)

    def check(self):
        return corners(self.a @ self.b)

    def run(self, reps):
        a, b = self.a, self.b
        for _ in range(reps):
            torch.matmul(a, b)


class Add:
    def __init__(self):
        self.step = torch.from_numpy(numbers(64, 3, 0, 1))

    def run(self, reps):
        x, step = torch.from_numpy(numbers(64, 4, 0, 1)), self.step
        for _ in range(reps):
            x = x + step
        return x

    def check(self):
        return corners(self.run(10))


class Mlp:
    def __init__(self):
        nn = torch.nn
        self.net = nn.Sequential(
            nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        )
        self.reset()
        self.x = torch.from_numpy(numbers(64 * 784, 14, 0, 1)).reshape(64, 784)
        self.y = torch.from_numpy(np.floor(numbers(64, 15, 0, 10)).astype(np.int64))
        self.loss = nn.CrossEntropyLoss()
        self.sgd = torch.optim.SGD(self.net.parameters(), lr=0.01)

    def reset(self):
        with torch.no_grad():
            for layer, (out, inputs, seed) in zip(
                [self.net[0], self.net[2], self.net[4]],
                [(64, 784, 11), (64, 64, 12), (10, 64, 13)],
            ):
                values = numbers(out * inputs, seed, -0.17, 0.17).reshape(out, inputs)
                layer.weight.copy_(torch.from_numpy(values))
                layer.bias.zero_()

    def once(self):
        self.sgd.zero_grad(set_to_none=True)
        value = self.loss(self.net(self.x), self.y)
        value.backward()
        self.sgd.step()
        return value

    def check(self):
        self.reset()
        losses = [self.once().item() for _ in range(20)]
        return [losses[0], losses[-1]]

    def run(self, reps):
        for _ in range(reps):
            self.once()


class Kernel:
    def __init__(self, shape, body):
        count = int(np.prod(shape))
        self.x = torch.from_numpy(numbers(count, 5, -1, 1)).reshape(*shape)
        self.body = body

    def check(self):
        return corners(self.body(self.x))

    def run(self, reps):
        for _ in range(reps):
            self.body(self.x)


def chain(x):
    a = torch.clamp(x * 2 + 1, min=0) * 3 - 1
    return torch.clamp((torch.clamp(a, min=-1) + 0.5) * 0.5, min=-2) + 1


TABLE = (4096, 1024)
KERNELS = {
    'chain': lambda: Kernel((2**24,), chain),
    'softmax': lambda: Kernel(TABLE, lambda x: torch.softmax(x, 1)),
    'layerNorm': lambda: Kernel(
        TABLE, lambda x: torch.nn.functional.layer_norm(x, (1024,), eps=1e-5)
    ),
    'sumRows': lambda: Kernel(TABLE, lambda x: x.sum(1)),
    'sumColumns': lambda: Kernel(TABLE, lambda x: x.sum(0)),
}

ONE = {
    'mlp': Mlp,
    'matmul64': lambda: Matmul(64, 784, 64),
    'matmul1024': lambda: Matmul(1024, 1024, 1024),
    'add64': Add,
    **KERNELS,
}
MAKE = ONE if THREADS == 1 else {'matmul1024': ONE['matmul1024'], **KERNELS}
ready = {}


def answer(verb, name='', reps='1'):
    if verb == 'about':
        return f'PyTorch {torch.__version__}, {THREADS} thread(s)'
    if verb == 'cases':
        return ' '.join(MAKE)
    if name not in ready:
        ready[name] = MAKE[name]()
    if verb == 'check':
        return ' '.join(repr(float(v)) for v in ready[name].check())
    start = time.perf_counter()
    ready[name].run(int(reps))
    return repr(time.perf_counter() - start)


for line in sys.stdin:
    try:
        text = '= ' + answer(*line.split())
    except Exception as error:  # reported to the driver, which goes on without this case
        text = '! ' + ' '.join(str(error).split())
    print(text, flush=True)
