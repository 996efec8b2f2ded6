// With --health: asks the service that runs here how it is, prints that and exits 0 (it does its work), 1 (it does not),
// 2 (wrong use) or 3 (no answer). Otherwise: runs the service. Either loads nothing of the other.
if (process.argv.includes('--health')) {
  const { healthCommand } = await import('./health/health-command.ts');
  process.exitCode = await healthCommand(process.argv.slice(2), process.env);
} else if (process.argv.includes('--self-test')) {
  const { selfTestCommand } = await import('./self-test/self-test-command.ts');
  process.exitCode = await selfTestCommand(process.argv.slice(2), process.env);
} else {
  const { run } = await import('./run.ts');
  await run(process.env);
}
