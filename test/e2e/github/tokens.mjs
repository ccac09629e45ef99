// node tokens.mjs < TEXT: how many tokens of o200k_base it is.
import fs from 'node:fs';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';

console.log(countTokens(fs.readFileSync(0, 'utf8')));
