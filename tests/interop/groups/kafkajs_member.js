// SPDX-License-Identifier: Apache-2.0
//
// A member of a consumer group with kafkajs: node kafkajs_member.js BOOTSTRAP GROUP TOPIC (README.md)
const { Kafka, logLevel } = require('kafkajs')

const [bootstrap, groupId, topic] = process.argv.slice(2)
let owned = []

function tell(event, what = {}) {
  process.stdout.write(JSON.stringify({ event, ...what }) + '\n')
}

// Everything is given up in each rebalance: kafkajs knows no other kind.
function own(partitions) {
  if (owned.length > 0) tell('revoked', { partitions: owned })
  if (partitions.length > 0) tell('assigned', { partitions })
  owned = partitions
}

async function main() {
  const kafka = new Kafka({ clientId: 'interop', brokers: [bootstrap], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 500, sessionTimeout: 20000 })
  consumer.on(consumer.events.GROUP_JOIN, (e) => own(e.payload.memberAssignment[topic] || []))
  consumer.on(consumer.events.REBALANCING, () => own([]))
  process.on('SIGTERM', async () => {
    await consumer.disconnect()
    own([])
    tell('ended')
    process.exit(0)
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const { partition } = batch
      const last = Number(batch.lastOffset())
      tell('records', { partition, first: Number(batch.firstOffset()), last })
      await consumer.commitOffsets([{ topic, partition, offset: String(last + 1) }])
    },
  })
}

main().catch((failure) => {
  console.error(failure)
  process.exit(1)
})
