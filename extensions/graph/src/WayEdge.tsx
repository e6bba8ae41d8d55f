// How an edge is drawn: along the points that Python gave it.
import type { EdgeProps } from '@xyflow/react';
import { memo, type ReactElement } from 'react';

import { path, type Way } from './elements';

export const WayEdge = memo(function WayEdge({ data }: EdgeProps<Way>): ReactElement | null {
  if (data === undefined) {
    return null;
  }
  const { way, taken, left } = data;
  const classes = ['af-way', way.data ? 'af-data' : 'af-control'];
  if (way.port === 'error') {
    classes.push('af-error');
  }
  if (taken) {
    classes.push('af-taken');
  }
  if (left) {
    classes.push('af-left');
  }
  return (
    <path className={classes.join(' ')} d={path(way.points)}>
      <title>
        {`${way.source} ${way.port === 'result' ? '' : `(${way.port}) `}to ${way.target}: ${
          way.data ? 'a value' : 'order alone'
        }`}
      </title>
    </path>
  );
});
