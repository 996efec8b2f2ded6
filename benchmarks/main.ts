import { serviceBenchmark } from './service/benchmark.ts';

// npm run benchmark -- [service] [options]
const [first, ...rest] = process.argv.slice(2);
await serviceBenchmark(first === 'service' ? rest : process.argv.slice(2));
