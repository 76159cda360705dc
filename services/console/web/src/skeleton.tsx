// The frame before the first numbers: one quiet bar per cell, no spinner.
const columns = [0, 1, 2, 3, 4, 5];

export function Skeleton() {
  return (
    <div class="map wait" aria-hidden="true" style={{ "--columns": columns.length }}>
      <h1><i class="bar" /></h1>
      <div class="lane stages">
        <div class="lh"><span class="lt">Stage</span></div>
        {columns.map((c) => <div key={c} class="c"><i class="bar" /></div>)}
      </div>
      <div class="lane chan">
        <div class="lh"><span class="lt">Channels</span></div>
        {columns.slice(0, 5).map((r) => (
          <div key={r} class="hr">{columns.map((c) => <i key={c} />)}</div>
        ))}
      </div>
      <div class="lane days">
        <div class="lh"><span class="lt">By day</span></div>
        <div class="curve"><div class="plot" /></div>
      </div>
    </div>
  );
}
