// SPDX-License-Identifier: Apache-2.0
//
// kafkajs: create, produce, list offsets, delete. Its consumer is in groups/kafkajs_member.js: what
// was written is looked at through the offsets here. node kafkajs_client.js BOOTSTRAP TOPIC
const assert = require('assert')
const { Kafka, CompressionTypes, logLevel } = require('kafkajs')

const [bootstrap, topic] = process.argv.slice(2)

async function main() {
  const kafka = new Kafka({ clientId: 'interop', brokers: [bootstrap], logLevel: logLevel.ERROR })
  const admin = kafka.admin()
  await admin.connect()
  assert.strictEqual(await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] }), true)
  assert.strictEqual(await admin.createTopics({ topics: [{ topic }] }), false)

  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
    const messages = []
    for (let i = 0; i < 100; i++) {
      messages.push({ key: `k${i}`, value: `v${i}`, partition: i % 3, headers: { h: '1' } })
    }
    messages.push({ key: 'tombstone', value: null, partition: 0 })
    const answers = await producer.send({ topic, messages, compression, acks: -1 })
    assert.strictEqual(answers.length, 3)
    assert(answers.every((a) => a.errorCode === 0))
  }
  await producer.disconnect()

  const offsets = await admin.fetchTopicOffsets(topic)
  const high = Object.fromEntries(offsets.map((o) => [o.partition, o.high]))
  assert.deepStrictEqual(high, { 0: '70', 1: '66', 2: '66' })
  const byTime = await admin.fetchTopicOffsetsByTimestamp(topic, 0)
  assert(byTime.every((o) => o.offset === '0'))
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  assert.strictEqual(topics[0].partitions.length, 3)
  const cluster = await admin.describeCluster()
  assert.strictEqual(cluster.brokers.length, 1)
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic, configNames: ['cleanup.policy'] }],
  })
  assert.strictEqual(resources[0].configEntries[0].configValue, 'delete')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
  console.log('good')
}

main().catch((failure) => {
  console.error(failure)
  process.exit(1)
})
