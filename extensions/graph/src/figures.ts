// Times, tokens and costs in a few characters, for people.

export function duration(seconds: number): string {
  if (seconds < 1) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  if (seconds < 60) {
    return `${seconds.toFixed(1)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  const rest = `${Math.floor(seconds % 60)}`.padStart(2, '0');
  return minutes < 60
    ? `${minutes}:${rest} min`
    : `${Math.floor(minutes / 60)}:${`${minutes % 60}`.padStart(2, '0')} h`;
}

export function count(value: number): string {
  return value < 10_000 ? value.toLocaleString('en-US') : `${(value / 1000).toFixed(1)}k`;
}

export function cost(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) {
    return 'price not known';
  }
  if (usd === 0) {
    return '$0';
  }
  if (usd < 0.0001) {
    return `$${usd.toLocaleString('en-US', { maximumSignificantDigits: 1 })}`;
  }
  return usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}
