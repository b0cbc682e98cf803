// Runs programs in workers, a part of the images in each, so that the page stays responsive.

const MAX_WORKERS = 4;

class Pool {
  constructor(model, weights) {
    this.engine = null;  // used where a browser allows no workers
    this.number = 0;
    this.waiting = new Map();
    this.workers = [];
    const source = document.getElementById("engine").textContent;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const count = Math.min(navigator.hardwareConcurrency || 2, MAX_WORKERS);
    const withoutWorkers = () => {
      this.engine = this.engine ?? new Engine(model, weights);
      for (const [number, { job }] of [...this.waiting]) this.finish(number, this.here(job));
    };
    try {
      for (let i = 0; i < count; i++) {
        const worker = new Worker(address);
        worker.onmessage = ({ data }) => this.finish(data.number, data.values);
        worker.onerror = withoutWorkers;
        worker.postMessage({ model, weights });
        this.workers.push(worker);
      }
    } catch (error) {
      withoutWorkers();
    }
  }

  here({ name, inputs, count, size }) {
    return this.engine.run(name, inputs, count, size);
  }

  finish(number, values) {
    this.waiting.get(number)?.resolve(values);
    this.waiting.delete(number);
  }

  send(job, worker) {
    if (this.engine) return Promise.resolve(this.here(job));
    return new Promise((resolve) => {
      const number = this.number++;
      this.waiting.set(number, { job, resolve });
      worker.postMessage({ ...job, number });
    });
  }

  // The output of a program: `inputs` are Float32Arrays of `count` rows each.
  async run(name, inputs, count, size = 1) {
    const parts = Math.min(Math.max(this.workers.length, 1), count);
    const results = await Promise.all(Array.from({ length: parts }, (_, part) => {
      const from = Math.floor(part * count / parts), to = Math.floor((part + 1) * count / parts);
      const rows = inputs.map((input) => {
        const length = input.length / count;
        return input.slice(from * length, to * length);
      });
      return this.send({ name, inputs: rows, count: to - from, size }, this.workers[part]);
    }));
    const joined = new Float32Array(results.reduce((sum, { length }) => sum + length, 0));
    let start = 0;
    for (const result of results) {
      joined.set(result, start);
      start += result.length;
    }
    return joined;
  }
}
