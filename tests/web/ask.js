// ?model=NAME: folder beside the page; ?dtype=q4: its variant; ?picture=URL&question=TEXT: ask at once; ?report=URL: send the answer there.
import { AutoModelForImageTextToText, AutoProcessor, RawImage, env } from '@huggingface/transformers';

const wanted = new URLSearchParams(location.search);
const form = document.querySelector('form');
const output = document.querySelector('output');
env.allowRemoteModels = false;
env.allowLocalModels = true; // off in a browser unless one asks for it
env.localModelPath = new URL('.', location).pathname;
env.useBrowserCache = false;
env.backends.onnx.wasm.wasmPaths = new URL('node_modules/onnxruntime-web/dist/', location).href;
env.backends.onnx.wasm.numThreads = 1; // more need a page that is isolated from others

async function load(folder, dtype) {
  const processor = await AutoProcessor.from_pretrained(folder);
  const model = await AutoModelForImageTextToText.from_pretrained(folder, { dtype, device: 'wasm' });
  return { processor, model };
}

async function ask({ processor, model }, picture, question, max_new_tokens) {
  const messages = [{ role: 'user', content: `<image>\n${question}` }];
  const prompt = processor.apply_chat_template(messages, { add_generation_prompt: true });
  const inputs = await processor(await RawImage.read(picture), prompt, { add_special_tokens: false });
  const all = await model.generate({ ...inputs, max_new_tokens, do_sample: false });
  const ids = all.slice(null, [inputs.input_ids.dims[1], null]);
  return { ids: ids.tolist()[0].map(Number), text: processor.batch_decode(ids, { skip_special_tokens: true })[0] };
}

async function show(session, picture) {
  const image = document.querySelector('img');
  image.src = picture instanceof Blob ? URL.createObjectURL(picture) : picture;
  image.hidden = false;
  output.textContent = 'Thinking …';
  const answer = await ask(session, picture, form.elements.question.value, Number(wanted.get('tokens') ?? 64));
  output.textContent = answer.text;
  return answer;
}

async function report(result) {
  if (wanted.has('report')) await fetch(wanted.get('report'), { method: 'POST', body: JSON.stringify(result) });
}

try {
  const session = await load(wanted.get('model') ?? 'model', wanted.get('dtype') ?? 'fp32');
  output.textContent = '';
  form.querySelector('button').disabled = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const [picture] = form.elements.picture.files;
    if (picture) show(session, picture).catch((error) => (output.textContent = error.message));
    else output.textContent = 'Choose a picture first.';
  });
  if (wanted.has('question')) form.elements.question.value = wanted.get('question');
  if (wanted.has('picture')) await report(await show(session, wanted.get('picture')));
} catch (error) {
  output.textContent = error.message;
  await report({ error: `${error.message}` });
}
