// The physical limit: oneDNN's matmul and plain loops in C++, on so many threads as the argument says; protocol of bench/serve.ts.
#include <dnnl.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

std::vector<float> numbers(size_t count, uint32_t seed, double low, double high) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; i++) {
    uint32_t h = uint32_t(i) + seed * 0x9E3779B9u;
    h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
    h = (h ^ (h >> 13)) * 0xC2B2AE35u;
    h = h ^ (h >> 16);
    values[i] = float(low + (high - low) * (h / 4294967296.0));
  }
  return values;
}

dnnl::engine &engine() {
  static dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}

dnnl::stream &stream() {
  static dnnl::stream s(engine());
  return s;
}

// One product with its operands; `ta` and `tb` say that an operand is stored transposed.
struct Product {
  std::vector<float> a, b, c;
  dnnl::matmul primitive;
  std::unordered_map<int, dnnl::memory> args;

  Product(int64_t m, int64_t k, int64_t n, bool ta = false, bool tb = false)
      : a(numbers(size_t(m * k), 1, -1, 1)), b(numbers(size_t(k * n), 2, -1, 1)), c(size_t(m * n)) {
    using tag = dnnl::memory::format_tag;
    const auto f32 = dnnl::memory::data_type::f32;
    const dnnl::memory::desc da({m, k}, f32, ta ? tag::ba : tag::ab);
    const dnnl::memory::desc db({k, n}, f32, tb ? tag::ba : tag::ab);
    const dnnl::memory::desc dc({m, n}, f32, tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    primitive = dnnl::matmul(dnnl::matmul::primitive_desc(engine(), da, db, dc));
#else
    primitive = dnnl::matmul({dnnl::matmul::desc(da, db, dc), engine()});
#endif
    args = {{DNNL_ARG_SRC, {da, engine(), a.data()}},
            {DNNL_ARG_WEIGHTS, {db, engine(), b.data()}},
            {DNNL_ARG_DST, {dc, engine(), c.data()}}};
  }
  Product(const Product &) = delete;

  void run() { primitive.execute(stream(), args); }

  std::string corners() {
    run();
    stream().wait();
    std::ostringstream text;
    text.precision(9);
    text << c[0] << ' ' << c[c.size() / 2] << ' ' << c[c.size() - 1];
    return text.str();
  }
};

// The products of a training step and nothing else: no bias, no loss, no update.
struct Step {
  Product f1{64, 784, 64, false, true}, f2{64, 64, 64, false, true}, f3{64, 64, 10, false, true};
  Product x3{64, 10, 64}, x2{64, 64, 64};
  Product w3{10, 64, 64, true}, w2{64, 64, 64, true}, w1{64, 64, 784, true};
  void run() {
    for (Product *p : {&f1, &f2, &f3, &w3, &x3, &w2, &x2, &w1}) p->run();
  }
};

int threads = 1;

// Runs a loop over [0, size) on all threads; they are started anew, which costs some 50 microseconds.
template <class F>
void inParts(size_t size, F body) {
  std::vector<std::thread> others;
  for (int t = 1; t < threads; t++)
    others.emplace_back(body, size * size_t(t) / size_t(threads), size * size_t(t + 1) / size_t(threads));
  body(0, size / size_t(threads));
  for (std::thread &t : others) t.join();
}

// a = b + s * c over three arrays that no cache holds.
struct Triad {
  std::vector<float> a, b, c;
  Triad() : a(1 << 24), b(1 << 24, 1.0f), c(1 << 24, 2.0f) {}
  void run() {
    const float *__restrict y = b.data(), *__restrict z = c.data();
    float *__restrict x = a.data();
    inParts(a.size(), [=](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) x[i] = y[i] + 3.0f * z[i];
    });
  }
};

// One read and one write: all that a fused chain of elementwise operators has to move.
struct Scale {
  std::vector<float> a, b;
  Scale() : a(1 << 24), b(1 << 24, 1.0f) {}
  void run() {
    const float *__restrict y = b.data();
    float *__restrict x = a.data();
    inParts(a.size(), [=](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) x[i] = 3.0f * y[i] + 1.0f;
    });
  }
};

// One add of 64 numbers by a plain loop, kept from being merged with the next one.
struct Add {
  std::vector<float> x = numbers(64, 4, 0, 1), y = numbers(64, 3, 0, 1);
  void run() {
    float *p = x.data();
    const float *q = y.data();
    for (int i = 0; i < 64; i++) p[i] += q[i];
    asm volatile("" : : "r"(p) : "memory");
  }
};

template <class T>
double timed(T &work, long reps) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < reps; i++) work.run();
  stream().wait();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string answer(const std::string &verb, const std::string &name, long reps) {
  if (verb == "about") {
    const dnnl_version_t *v = dnnl_version();
    std::ostringstream about;
    about << "oneDNN " << v->major << '.' << v->minor << '.' << v->patch << " in C++, " << threads << " thread(s)";
    return about.str();
  }
  if (verb == "cases") {
    const std::string large = "matmul1024 triad chain";
    return threads > 1 ? large : "mlp matmul64 add64 matmul64x64 " + large;
  }
  std::ostringstream text;
  text.precision(9);
  const bool check = verb == "check";
  const auto product = [&](Product &p) {
    if (check) text << p.corners();
    else text << timed(p, reps);
  };
  if (name == "matmul64") {
    static Product p(64, 784, 64);
    product(p);
  } else if (name == "matmul64x64") {
    static Product p(64, 64, 64);
    product(p);
  } else if (name == "matmul1024") {
    static Product p(1024, 1024, 1024);
    product(p);
  } else if (name == "mlp") {
    static Step step;
    if (!check) text << timed(step, reps);
  } else if (name == "triad") {
    static Triad triad;
    if (!check) text << timed(triad, reps);
  } else if (name == "chain") {
    static Scale scale;
    if (!check) text << timed(scale, reps);
  } else if (name == "add64") {
    Add add;
    if (check) {
      for (int i = 0; i < 10; i++) add.run();
      text << add.x[0] << ' ' << add.x[32] << ' ' << add.x[63];
    } else {
      text << timed(add, reps);
    }
  } else {
    throw std::runtime_error("no case " + name);
  }
  return text.str();
}

}  // namespace

int main(int count, char **arguments) {
  if (count > 1) threads = std::max(1, std::stoi(arguments[1]));
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string verb, name;
    long reps = 1;
    words >> verb >> name >> reps;
    try {
      std::cout << "= " << answer(verb, name, reps) << std::endl;
    } catch (const std::exception &error) {
      std::cout << "! " << error.what() << std::endl;
    }
  }
}
