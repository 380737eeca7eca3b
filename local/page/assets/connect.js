// How programs reach this Firehose: lines to copy into a shell.

import { el, text } from './dom.js';

// The page is told no credentials; these are what `hydrant local` takes by itself.
const variables = [
  ['AWS_ENDPOINT_URL', location.origin],
  ['AWS_ACCESS_KEY_ID', 'AKIDHYDRANTLOCAL'],
  ['AWS_SECRET_ACCESS_KEY', 'hydrant-local-secret'],
  ['AWS_REGION', 'us-east-1'],
  ['AWS_DEFAULT_REGION', 'us-east-1'],
];

const arns = ['arn:aws:s3:::my-bucket', 'arn:aws:iam::000000000000:role/firehose'];

const shells = {
  'sh, bash, zsh': (name, value) => `export ${name}=${value}`,
  PowerShell: (name, value) => `$env:${name} = '${value}'`,
};

// block is lines with a button that copies them.
function block(label, lines) {
  const pre = el('pre', { tabindex: 0, 'aria-label': label }, lines);
  const button = el('button', { type: 'button', 'aria-label': 'Copy: ' + label }, 'Copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      text(button, 'Copied');
    } catch { // not from this address, or not allowed: select it for the keyboard
      getSelection().selectAllChildren(pre);
      text(button, 'Selected');
    }
    setTimeout(() => text(button, 'Copy'), 2000);
  });
  return { node: el('div', { class: 'block' }, pre, button), pre };
}

export function showConnect(root, id) {
  const env = block('environment variables', '');
  const select = el('select', { id }, ...Object.keys(shells).map((name) => el('option', {}, name)));
  const draw = () => text(env.pre, variables.map(([name, value]) => shells[select.value](name, value)).join('\n'));
  select.addEventListener('change', draw);
  draw();
  const notes = ['Every AWS SDK and the AWS CLI use them. Key, secret and region are the defaults; if hydrant local was started with others, take the lines that it has printed.'];
  if (location.protocol === 'https:') notes.push('Over https clients also need AWS_CA_BUNDLE, which hydrant local has printed.');
  root.append(
    el('p', { class: 'shell' }, el('span', {}, '1. Set these in the terminal of your program'), el('label', { for: id, class: 'soft' }, 'Shell'), select),
    env.node, el('p', { class: 'note' }, notes.join(' ')),
    el('p', {}, '2. Make a stream, by either of'),
    block('hydrant streams create', `hydrant streams create my-stream --bucket-arn ${arns[0]} --role-arn ${arns[1]} --interval-seconds 5`).node,
    block('aws firehose create-delivery-stream', `aws firehose create-delivery-stream --delivery-stream-name my-stream --extended-s3-destination-configuration 'BucketARN=${arns[0]},RoleARN=${arns[1]},BufferingHints={SizeInMBs=1,IntervalInSeconds=5}'`).node,
    el('p', {}, '3. Put a record; it is delivered after 5 seconds'),
    block('hydrant put', `hydrant put my-stream '{"hello":"world"}'`).node);
}
