// The values that Python and the front end share.
import type { AnyModel } from '@anywidget/types';
import { useCallback, useSyncExternalStore } from 'react';

export function useTrait<M extends object, K extends keyof M & string>(
  model: AnyModel<M>,
  name: K
): M[K] {
  const subscribe = useCallback(
    (tell: () => void) => {
      model.on(`change:${name}`, tell);
      return () => model.off(`change:${name}`, tell);
    },
    [model, name]
  );
  return useSyncExternalStore(subscribe, () => model.get(name));
}
