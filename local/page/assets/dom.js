// Small helpers. Data reaches the page as text nodes and attributes only.

export const $ = (selector, root = document) => root.querySelector(selector);

// el makes an element; what is not a node among the children becomes text.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// text writes only what has changed, so that a selection in a quiet place stays.
export function text(node, value) {
  value = String(value);
  if (node.textContent !== value) node.textContent = value;
}

export function attr(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

let report = () => {};
export function onError(f) { report = f; }

// call makes an admin call. An error is shown, but for the caller's own abort; the
// promise tells whether it worked.
export async function call(method, what, body, signal) {
  try {
    const answer = await fetch('/_hydrant/' + what, { method, signal, body: body ? JSON.stringify(body) : undefined });
    if (!answer.ok) throw new Error((await answer.text()).trim() || `${answer.status} ${answer.statusText}`);
    return true;
  } catch (err) {
    if (err.name === 'AbortError') return false;
    report(err instanceof TypeError ? 'The server did not answer.' : err.message);
    return false;
  }
}

export const ofStream = (stream) => stream ? '?' + new URLSearchParams({ stream: stream.name, region: stream.region, account: stream.account }) : '';
