// Opens an exported folder with transformers.js, without a network, and prints the ids that it generates.
// node check_clients.mjs <folder> <picture> <question> <new tokens> <dtype>
import { AutoModelForImageTextToText, AutoProcessor, RawImage, env } from '@huggingface/transformers';

const [folder, picture, question, tokens, dtype] = process.argv.slice(2);
env.allowRemoteModels = false;
const processor = await AutoProcessor.from_pretrained(folder);
const model = await AutoModelForImageTextToText.from_pretrained(folder, { dtype });
const messages = [{ role: 'user', content: `<image>\n${question}` }];
const prompt = processor.apply_chat_template(messages, { add_generation_prompt: true });
const inputs = await processor(await RawImage.read(picture), prompt, { add_special_tokens: false });
const output = await model.generate({ ...inputs, max_new_tokens: Number(tokens), do_sample: false });
const ids = output.tolist()[0].map(Number).slice(inputs.input_ids.dims[1]);
console.log(JSON.stringify({ prompt_tokens: inputs.input_ids.dims[1], ids }));
