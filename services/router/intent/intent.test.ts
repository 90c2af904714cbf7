// What the shipped weights say about prompts in many languages, in chats, and about text that wants to do harm.

import { describe, expect, it } from 'vitest'
import { promptOf } from './conversation.ts'
import { classify } from './intent.ts'

const cases: Record<'code' | 'reasoning' | 'general', Record<string, string>> = {
  code: {
    en: 'Write a Python function that merges two sorted lists.',
    hi: 'पायथन में एक प्रोग्राम लिखें जो किसी स्ट्रिंग को उलट दे।',
    ko: '두 문자열을 합치는 자바스크립트 함수를 구현해 주세요.',
    vi: 'Viết một hàm JavaScript để đảo ngược một chuỗi.',
    ar: 'اكتب برنامجا بلغة بايثون لقراءة ملف نصي.',
    ru: 'Как отсортировать массив объектов в JavaScript?',
    ja: '文字列を逆順にするJavaScriptの関数を実装してください。',
    es: 'Crea un programa en Java que lea un archivo de texto.',
    de: 'Wie sortiere ich in JavaScript ein Array von Objekten?',
    fr: 'Crée un script Python qui lit un fichier JSON.',
    pt: 'Crie uma função em JavaScript que ordene um array.',
    tr: 'JavaScript ile bir diziyi sıralayan fonksiyon yaz.',
  },
  reasoning: {
    en: 'Tom has 3 boxes with 12 pencils each and loses 5 pencils. How many pencils does he have?',
    hi: 'राम के पास 24 आम थे। उसने आधे बेच दिए। अब उसके पास कितने आम बचे हैं?',
    ko: '한 상자에 사과가 8개씩 들어 있습니다. 5상자에는 사과가 모두 몇 개 있습니까?',
    vi: 'Một cửa hàng bán 24 cái bánh, mỗi cái giá 5 nghìn đồng. Hỏi cửa hàng thu được bao nhiêu tiền?',
    ar: 'اشترى أحمد 4 كتب بسعر 12 دولارا للكتاب. كم دفع في المجموع؟',
    ru: 'В коробке 24 карандаша, треть из них красные. Сколько красных карандашей в 5 коробках?',
    ja: '1本80円の鉛筆を6本買いました。全部でいくらですか。',
    es: 'Una tienda vende 3 camisas por 45 euros. ¿Cuánto cuestan 7 camisas?',
    de: 'Drei Arbeiter bauen eine Mauer in 6 Stunden. Wie lange brauchen zwei Arbeiter?',
    fr: 'Un magasin vend 3 stylos pour 6 euros. Combien coûtent 10 stylos ?',
    pt: 'Um livro custa 25 reais. Quanto custam 4 livros com 10% de desconto?',
    tr: 'Bir kutuda 12 kalem var. 5 kutuda toplam kaç kalem vardır?',
  },
  general: {
    en: 'Can you recommend a good book for a long flight?',
    hi: 'दिवाली के बारे में एक छोटा निबंध लिखिए।',
    ko: '제주도 여행지를 추천해 주세요.',
    vi: 'Hãy viết một bức thư cảm ơn gửi cô giáo.',
    ar: 'ما هي فوائد شرب الماء للصحة؟',
    ru: 'Посоветуй хороший фильм на вечер.',
    ja: '京都のおすすめの観光地を教えてください。',
    es: 'Escribe una carta de agradecimiento a mi profesora.',
    de: 'Schreib mir ein kurzes Gedicht über den Herbst.',
    fr: 'Quels sont les bienfaits du sport sur la santé ?',
    pt: 'Quem foi o primeiro presidente do Brasil?',
    tr: 'Sağlıklı beslenme için öneriler verir misin?',
  },
}

describe('a prompt is known by what it asks for', () => {
  const table = Object.entries(cases).flatMap(([label, prompts]) => Object.entries(prompts).map(([lang, text]) => ({ label, lang, text })))
  it.each(table)('$label in $lang', ({ label, text }) => {
    expect(classify(text).label).toBe(label)
  })
})

describe('a chat is known by what is asked now', () => {
  const coder = {
    role: 'system',
    content: 'You are a senior Python engineer. Answer with code only.\n```python\ndef main():\n    return 1\n```',
  }
  const article = 'The river rises in the hills and has carried trade since the middle ages. Towns grew where it could be crossed. '.repeat(
    60,
  )
  const trace =
    'Traceback (most recent call last):\n  File "/app/main.py", line 12, in <module>\n    run(items[3])\nIndexError: list index out of range'
  it.each([
    [
      'chit-chat under a system prompt full of code',
      'general',
      [coder, { role: 'user', content: 'Hi, how was your weekend? Tell me a joke.' }],
    ],
    [
      'thanks after a talk about code',
      'general',
      [
        { role: 'user', content: 'Fix this function: def f(x): retrun x' },
        { role: 'assistant', content: '```python\ndef f(x):\n    return x\n```' },
        { role: 'user', content: 'Thanks! What should I cook for dinner tonight?' },
      ],
    ],
    [
      'a question above a long document',
      'general',
      [{ role: 'user', content: `Summarise this article in three sentences:\n\n${article}` }],
    ],
    ['a question below a long document', 'general', [{ role: 'user', content: `${article}\n\nWhat is the main idea of this text?` }]],
    ['a stack trace', 'code', [{ role: 'user', content: trace }]],
    ['a stack trace after a word of German', 'code', [{ role: 'user', content: `Was bedeutet das?\n${trace}` }]],
    [
      'a code request in parts',
      'code',
      [{ role: 'user', content: [{ type: 'text', text: 'Refactor this class so that it has unit tests:\n```java\nclass A {}\n```' }] }],
    ],
    [
      'a short turn that goes on with code',
      'code',
      [
        { role: 'user', content: 'Write a SQL query that joins orders and customers.' },
        { role: 'assistant', content: 'SELECT * FROM orders' },
        { role: 'user', content: 'and now?' },
      ],
    ],
    [
      'maths under a system prompt about tone',
      'reasoning',
      [
        { role: 'system', content: 'You are a friendly assistant.' },
        { role: 'user', content: 'Solve x^2 - 9x + 20 = 0 and show every step.' },
      ],
    ],
  ])('%s is %s', (_, label, messages) => {
    expect(classify(promptOf(messages)).label).toBe(label)
  })

  it.each([
    [undefined],
    [null],
    ['text'],
    [[]],
    [[null, 3, {}, { role: 'user' }, { role: 'user', content: [null, { type: 'image_url' }] }]],
  ])('%j asks for nothing', (messages) => {
    expect(promptOf(messages)).toBe('')
  })

  it('keeps both ends of a long turn and not its bulk', () => {
    const prompt = promptOf([{ role: 'user', content: `first words ${article.repeat(10)} last words` }])
    expect(prompt.length).toBeLessThan(2_000)
    expect(prompt).toMatch(/^first words/)
    expect(prompt).toMatch(/last words$/)
  })
})

describe('any text has an answer', () => {
  it('a blank one is general', () => {
    for (const text of ['', ' ', '\n\t ']) expect(classify(text)).toEqual({ label: 'general', confidence: 1 })
  })

  it('the same text has the same answer, whatever was asked between', () => {
    const texts = Object.values(cases).flatMap((prompts) => Object.values(prompts))
    const first = texts.map(classify)
    classify('('.repeat(1_000_000))
    expect(texts.toReversed().map(classify).toReversed()).toEqual(first)
  })

  it.each(['(', '`', ' ', '\n', '0', '\ud800', '\udc00', 'İ', '数', '\u0000', 'aA1$\\', '😀', 'ก็', 'ab '])('a megabyte of %j', (unit) => {
    const { label, confidence } = classify(unit.repeat(1_048_576 / unit.length))
    expect(['code', 'reasoning', 'general']).toContain(label)
    expect(confidence).toBeGreaterThanOrEqual(0)
    expect(confidence).toBeLessThanOrEqual(1)
  })

  it('text with as many different features as fit', () => {
    let text = ''
    for (let at = 0; at < 4_200; at++) text += String.fromCharCode(0x4e00 + ((at * 7_919) % 20_000))
    expect(classify(text).confidence).toBeGreaterThan(0)
  })

  it('only the ends of a long text are read', () => {
    const ends = ['Write a function. '.repeat(200), 'Return the list. '.repeat(200)]
    expect(classify(ends.join('poem '.repeat(100_000)))).toEqual(classify(ends.join('7 + 8 '.repeat(100_000))))
  })
})
