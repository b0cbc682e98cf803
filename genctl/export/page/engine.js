// Runs the programs of a model. This script also runs in workers.

// fp16 numbers as fp32 ones. Their bits are moved, since powers of two would take a second.
function toFloats(halves) {
  const bits = new Uint32Array(halves.length), floats = new Float32Array(bits.buffer);
  for (let i = 0; i < halves.length; i++) {
    const sign = (halves[i] & 0x8000) << 16, exponent = (halves[i] >> 10) & 31;
    const fraction = halves[i] & 1023;
    if (exponent === 0) floats[i] = (sign ? -fraction : fraction) * 2 ** -24;
    else bits[i] = sign | ((exponent + 112) << 23) | (fraction << 13);
  }
  return floats;
}

class Engine {
  // `weights`: all tensors as fp16, a Uint16Array.
  constructor(model, weights) {
    let start = 0;
    const floats = toFloats(weights);
    const tensors = model.tensors.map((shape) => {
      const length = shape.reduce((product, side) => product * side, 1);
      start += length;
      return floats.subarray(start - length, start);
    });
    this.programs = {};
    for (const [name, { inputs, operations }] of Object.entries(model.programs)) {
      this.programs[name] = {
        inputs,
        operations: operations.map((operation) => ({
          ...operation,
          weight: tensors[operation.weight] ?? null,
          bias: tensors[operation.bias] ?? null,
        })),
      };
    }
  }

  // `inputs`: a Float32Array of `count` rows for each input. The output of the last operation.
  run(name, inputs, count, size) {
    const registers = inputs.map((values) => (
      { values, size, channels: values.length / count / size ** 2 }
    ));
    for (const operation of this.programs[name].operations) {
      const { size, channels } = operation;
      const values = new Float32Array(count * size * size * channels);
      const read = operation.inputs.map((number) => registers[number]);
      KERNELS[operation.operation](operation, read, count, values);
      registers.push({ values, size, channels });
    }
    return registers[registers.length - 1].values;
  }
}

if (typeof WorkerGlobalScope !== "undefined") {
  let engine = null;
  onmessage = ({ data }) => {
    if (data.model) {
      engine = new Engine(data.model, data.weights);
      return;
    }
    const values = engine.run(data.name, data.inputs, data.count, data.size);
    postMessage({ number: data.number, values }, [values.buffer]);
  };
}
