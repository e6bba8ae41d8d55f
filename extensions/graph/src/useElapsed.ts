// Seconds since a moment, told again while they pass.
import { useEffect, useState } from 'react';

/** Seconds since a Unix time, or null where there is none. */
export function useElapsed(since: number | null): number | null {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (since === null) {
      return;
    }
    const tick = (): void => setNow(Date.now() / 1000);
    tick();
    const timer = setInterval(tick, 200);
    return () => clearInterval(timer);
  }, [since]);
  return since === null ? null : Math.max(0, now - since);
}
