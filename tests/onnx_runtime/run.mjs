// SPDX-License-Identifier: Apache-2.0
// Runs ONNX models in ONNX Runtime (WebAssembly, one thread, so that results do not depend on the processor):
//   node run.mjs MODULES LEVEL JOBS
// MODULES is the folder node_modules that holds onnxruntime-web; LEVEL is disabled (graphs are executed as they are
// written), basic, extended or all; JOBS is a file whose lines are "MODEL.onnx INPUT.npy OUTPUT.npy". Entries of the
// input's first dimension are given to the model one by one, and its first outputs are written in the same order. Where
// a model cannot be loaded or run, the reason is written to OUTPUT.npy.error, and the exit status is 1; where it breaks
// the runtime, the models behind it are not run, and the exit status is 3.
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join, resolve} from 'node:path';

const [modules, level, jobs] = process.argv.slice(2);
const ort = createRequire(join(resolve(modules), 'caller.js'))('onnxruntime-web');
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'fatal';  // what is wrong comes as an exception

// NumPy's names of types, ONNX Runtime's, and the arrays that hold them.
const types = [
  ['<f4', 'float32', Float32Array], ['|u1', 'uint8', Uint8Array], ['|i1', 'int8', Int8Array],
  ['<u2', 'uint16', Uint16Array], ['<i2', 'int16', Int16Array], ['<i4', 'int32', Int32Array],
  ['<i8', 'int64', BigInt64Array], ['<f8', 'float64', Float64Array],
];

function readNpy(file) {
  const bytes = readFileSync(file);
  const length = bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, 10 + length);
  const descr = /'descr': '([^']+)'/.exec(header)[1];
  const dims = /'shape': \(([^)]*)\)/.exec(header)[1].split(',').filter((side) => side.trim() !== '').map(Number);
  const known = types.find(([name]) => name === descr);
  if (known === undefined) throw new Error(`${file}: numbers of type ${descr} are not read`);
  const copy = new Uint8Array(bytes.subarray(10 + length)).buffer;
  return {type: known[1], dims, data: new known[2](copy)};
}

function writeNpy(file, {type, dims, data}) {
  const known = types.find(([, name]) => name === type);
  if (known === undefined) throw new Error(`outputs of type ${type} are not written`);
  const [descr] = known;
  const shape = `${dims.join(', ')}${dims.length === 1 ? ',' : ''}`;
  let header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11, ' ') + '\n';
  const start = Buffer.alloc(10);
  start.write('\x93NUMPY\x01\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  writeFileSync(file, Buffer.concat([start, Buffer.from(header, 'latin1'), Buffer.from(data.buffer)]));
}

async function run(model, input, output) {
  const session = await ort.InferenceSession.create(readFileSync(model), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: level,
    logSeverityLevel: 4,
  });
  const {type, dims, data} = readNpy(input);
  const each = dims.slice(1).reduce((product, side) => product * side, 1);
  const results = [];
  for (let i = 0; i < dims[0]; ++i) {
    const tensor = new ort.Tensor(type, data.slice(i * each, (i + 1) * each), [1, ...dims.slice(1)]);
    const outputs = await session.run({[session.inputNames[0]]: tensor});
    results.push(outputs[session.outputNames[0]]);
  }
  const size = results[0].data.length;
  const all = new results[0].data.constructor(size * results.length);
  results.forEach((result, i) => all.set(result.data, i * size));
  writeNpy(output, {type: results[0].type, dims: [results.length, ...results[0].dims], data: all});
  await session.release();
}

let failed = 0;
for (const line of readFileSync(jobs, 'utf8').split('\n').filter((text) => text !== '')) {
  const [model, input, output] = line.split(' ');
  try {
    await run(model, input, output);
  } catch (error) {
    const words = String(error.message ?? error).split('\n')[0];
    // An exception of the runtime comes without its words, as a bare number.
    writeFileSync(`${output}.error`, /^[0-9]+$/.test(words) ? 'an exception' : words);
    ++failed;
    if (error instanceof WebAssembly.RuntimeError) process.exit(3);
  }
}
process.exit(failed === 0 ? 0 : 1);
