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

def fill(net):
    seed = 40
    with torch.no_grad():
        for parameter in net:
            seed += 1
            if parameter.dim() < 2:
                continue
            bound = (3 / parameter[0].numel()) ** 0.5
            values = numbers(parameter.numel(), seed, -bound, bound)
            parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))


def images(n, c, size):
    return torch.from_numpy(numbers(n * c * size * size, 31, 0, 1)).reshape(n, c, size, size)


def classes(n):
    return torch.from_numpy(np.floor(numbers(n, 32, 0, 10)).astype(np.int64))


class Lenet:
    def __init__(self):
        nn = torch.nn
        self.net = nn.Sequential(
            nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
        )
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.zero_()
        self.x, self.y = images(64, 1, 28), classes(64)
        self.loss = nn.CrossEntropyLoss()
        self.sgd = torch.optim.SGD(self.net.parameters(), lr=0.01)
        fill(self.net.parameters())

    def once(self):
        self.sgd.zero_grad(set_to_none=True)
        value = self.loss(self.net(self.x), self.y)
        value.backward()
        self.sgd.step()
        return value

    def check(self):
        fill(self.net.parameters())
        return [self.once().item(), self.once().item()]

    def run(self, reps):
        for _ in range(reps):
            self.once()


class BasicBlock(torch.nn.Module):
    def __init__(self, inner, channels, stride):
        super().__init__()
        nn = torch.nn
        self.body = nn.Sequential(
            nn.Conv2d(inner, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels),
        )
        self.shortcut = None
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inner, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        return torch.relu(self.body(x) + (x if self.shortcut is None else self.shortcut(x)))


class Resnet:
    def __init__(self, batch, train):
        nn = torch.nn
        layers = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]
        inner = 64
        for channels in (64, 128, 256, 512):
            layers.append(BasicBlock(inner, channels, 1 if channels == 64 else 2))
            layers.append(BasicBlock(channels, channels, 1))
            inner = channels
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)]
        self.net = nn.Sequential(*layers).train(train)
        with torch.no_grad():
            layers[-1].bias.zero_()
        # MXNet counts four numbers a channel in batch normalization, two of which PyTorch calls buffers.
        named = []
        for module in self.net.modules():
            own = list(module.parameters(recurse=False))
            named += own * 2 if isinstance(module, nn.BatchNorm2d) else own
        fill(named)
        self.x, self.y = images(batch, 3, 224), classes(batch)
        self.loss = nn.CrossEntropyLoss()
        self.train = train

    def once(self):
        if not self.train:
            with torch.no_grad():
                return self.net(self.x)
        self.net.zero_grad(set_to_none=True)
        value = self.loss(self.net(self.x), self.y)
        value.backward()
        return value

    def check(self):
        value = self.once()
        return [value.item()] if self.train else corners(value)

    def run(self, reps):
        for _ in range(reps):
            self.once()


class Lstm:
    def __init__(self):
        self.net = torch.nn.LSTM(256, 256)
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.zero_()
        fill(self.net.parameters())
        values = numbers(35 * 32 * 256, 33, -1, 1)
        self.x = torch.from_numpy(values).reshape(35, 32, 256).requires_grad_()

    def once(self):
        self.net.zero_grad(set_to_none=True)
        value, _ = self.net(self.x)
        value.sum().backward()
        return value.detach()

    def check(self):
        return corners(self.once())

    def run(self, reps):
        for _ in range(reps):
            self.once()


LARGE = {
    'resnetForward': lambda: Resnet(32, False),
    'resnetStep': lambda: Resnet(16, True),
}
ONE = {
    'mlp': Mlp,
    'matmul64': lambda: Matmul(64, 784, 64),
    'matmul1024': lambda: Matmul(1024, 1024, 1024),
    'add64': Add,
    'lenet': Lenet,
    'lstm': Lstm,
    **KERNELS,
    **LARGE,
}
MAKE = ONE if THREADS == 1 else {'matmul1024': ONE['matmul1024'], **KERNELS, **LARGE}
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
