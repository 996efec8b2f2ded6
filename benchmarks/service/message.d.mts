export function textOf(index: number): string;
