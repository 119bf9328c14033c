// A request as a program would send it, ready to be pasted.

const ADDRESS = '/api/tasks/execute/';

export const languages = { curl, python, javascript };

// Each gets the bodies of one request or more, and `withKey` where Oxide wants to know who calls.
function curl(bodies, withKey) {
  return bodies.map((body) => curlOf(body, withKey)).join('\n');
}

function curlOf(body, withKey) {
  const key = withKey ? " \\\n  -H \"Authorization: Bearer $OXIDE_KEY\"" : '';
  return `curl -N ${location.origin}${ADDRESS}${key} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(JSON.stringify({ ...body, stream: true }, null, 2))}`;
}

function python(bodies, withKey) {
  return `${withKey ? 'import os\n\n' : ''}import requests\n\n${bodies.map((body) => pythonOf(body, withKey)).join('\n\n')}`;
}

function pythonOf(body, withKey) {
  const key = withKey ? '    headers={"Authorization": f"Bearer {os.environ[\'OXIDE_KEY\']}"},\n' : '';
  return `answer = requests.post(
    ${JSON.stringify(location.origin + ADDRESS)},
${key}    json=${pythonic(body)},
    timeout=600,
)
answer.raise_for_status()
print(answer.json()["result"])`;
}

function javascript(bodies, withKey) {
  const parts = bodies.map((body) => javascriptOf(body, withKey));
  return parts.length === 1 ? parts[0] : parts.map((part) => `{\n  ${part.replaceAll('\n', '\n  ')}\n}`).join('\n');
}

function javascriptOf(body, withKey) {
  const key = withKey ? ', Authorization: `Bearer ${process.env.OXIDE_KEY}`' : '';
  return `const answer = await fetch(${JSON.stringify(location.origin + ADDRESS)}, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json'${key} },
  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')}),
});
const task = await answer.json();
if (!answer.ok) throw new Error(task.detail);
console.log(task.result);`;
}

// Between single quotes a shell takes everything as it is, but for these themselves.
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// Flat, and of texts and numbers alone, which both languages write alike.
const pythonic = (body) => `{\n${Object.entries(body).map(([name, value]) => `        ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`).join('')}    }`;
