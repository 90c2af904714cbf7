// What several telemetries write to where there is no MongoDB: the stand-in for it, in a process of its own that nothing is done to.
// FerretDB hangs when one of two is killed in the midst of a write.

import process from 'node:process'
import { startMongoStandIn } from '#test/support/mongo-stand-in.ts'

const { url } = await startMongoStandIn()
process.on('disconnect', () => process.exit())
process.stdout.write(`${JSON.stringify({ msg: 'ready', url })}\n`)
