import { deployBenchmark } from './deploy/benchmark.ts';
import { serviceBenchmark } from './service/benchmark.ts';

// npm run benchmark -- [service | deploy] [options]
const [suite, ...rest] = process.argv.slice(2);
if (suite === 'deploy') await deployBenchmark(rest);
else await serviceBenchmark(suite === 'service' ? rest : process.argv.slice(2));
