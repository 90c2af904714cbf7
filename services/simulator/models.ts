// GET /v1/models: the demo models. Any other name is answered too, as one that needs a directive or a rule.

const ids = ['demo/chat', 'demo/echo', 'demo/reasoner', 'demo/embedding', 'demo/speech', 'demo/transcription', 'demo/image']

const model = (id: string) => ({ id, object: 'model', created: 1_790_000_000, owned_by: 'freeway-demo' })

export function listModels(): object {
  return { object: 'list', data: ids.map(model) }
}

export function findModel(id: string): object | undefined {
  return ids.includes(id) ? model(id) : undefined
}
