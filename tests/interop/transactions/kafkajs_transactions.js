// SPDX-License-Identifier: Apache-2.0
//
// kafkajs, which names its partitions to the coordinator. node kafkajs_transactions.js BOOTSTRAP TOPIC
const assert = require('assert')
const { Kafka, logLevel } = require('kafkajs')

const [bootstrap, topic] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'interop', brokers: [bootstrap], logLevel: logLevel.NOTHING })

async function producer() {
  const p = kafka.producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true })
  await p.connect()
  return p
}

function messages(name, count) {
  return Array.from({ length: count }, (_, i) => ({ value: `${name}${i}`, partition: i % 3 }))
}

// What a reader of committed records gets until it has as many as it should; more would come at once.
async function read(groupId, count) {
  const consumer = kafka.consumer({ groupId, readUncommitted: false })
  const found = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${found.length} of ${count} records`)), 60000)
    consumer.run({
      eachMessage: async ({ message }) => {
        found.push(message.value.toString())
        if (found.length === count) {
          clearTimeout(late)
          setTimeout(resolve, 1000)
        }
      },
    }).catch(reject)
  })
  await consumer.disconnect()
  return found.sort()
}

async function main() {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] })
  const p = await producer()
  const wanted = []
  for (let n = 0; n < 10; n++) {
    const transaction = await p.transaction()
    await transaction.send({ topic, messages: messages(`t${n}-`, 12) })
    if (n % 2 === 0) {
      await transaction.sendOffsets({
        consumerGroupId: `${topic}-g`,
        topics: [{ topic, partitions: [{ partition: 0, offset: String(n) }] }],
      })
      await transaction.commit()
      wanted.push(...messages(`t${n}-`, 12).map((m) => m.value))
    } else {
      await transaction.abort()
    }
  }
  assert.deepStrictEqual(await read(`${topic}-r`, wanted.length), wanted.sort())
  const offsets = await admin.fetchOffsets({ groupId: `${topic}-g`, topics: [topic] })
  assert.strictEqual(offsets[0].partitions.find((o) => o.partition === 0).offset, '8')

  const late = await p.transaction()
  await late.send({ topic, messages: messages('fenced', 3) })
  const second = await producer()
  const transaction = await second.transaction()
  await assert.rejects(late.commit())
  await transaction.send({ topic, messages: messages('second', 6) })
  await transaction.commit()
  wanted.push(...messages('second', 6).map((m) => m.value))
  assert.deepStrictEqual(await read(`${topic}-s`, wanted.length), wanted.sort())
  await second.disconnect()
  await p.disconnect()
  await admin.disconnect()
  console.log('good')
}

main().catch((failure) => {
  console.error(failure)
  process.exit(1)
})
