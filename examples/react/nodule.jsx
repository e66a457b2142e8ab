import { useEffect, useState } from 'react';
import { ClipLung } from 'clip-lung';

const loading = ClipLung.from('/models/clip-lung');

/** The probabilities of one nodule: `{ data, dims, spacing, centre, diameter, unit: 'HU' }`. */
export function Nodule({ input }) {
  const [answer, setAnswer] = useState('...');
  useEffect(() => {
    const stop = new AbortController();
    loading
      .then((clip) => clip.predict(input, { signal: stop.signal }))
      .then(({ probabilities }) => setAnswer(Object.entries(probabilities).map(([name, p]) => `${name} ${p.toFixed(3)}`).join(', ')))
      .catch((error) => stop.signal.aborted || setAnswer(error.message));
    return () => stop.abort();
  }, [input]);
  return <output>{answer}</output>;
}
