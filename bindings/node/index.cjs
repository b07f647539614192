'use strict'

const { TelpherError, codes } = require('./lib/error.cjs')
const { Batch } = require('./lib/batch.cjs')
const { Consumer } = require('./lib/consumer.cjs')
const { Gather } = require('./lib/gather.cjs')
const { Hub } = require('./lib/hub.cjs')
const { Job } = require('./lib/job.cjs')
const { Appended, Receipt, Request } = require('./lib/message.cjs')
const { Queue } = require('./lib/queue.cjs')
const { Reader, StreamRecord } = require('./lib/reader.cjs')
const { Service } = require('./lib/service.cjs')
const { Stream } = require('./lib/stream.cjs')
const { Subscriber, TopicMessage } = require('./lib/subscriber.cjs')
const { Topic } = require('./lib/topic.cjs')
const { Topics } = require('./lib/topics.cjs')
const { version } = require('./package.json')

const { open } = Hub

module.exports = {
  Appended,
  Batch,
  Consumer,
  Gather,
  Hub,
  Job,
  Queue,
  Reader,
  Receipt,
  Request,
  Service,
  Stream,
  StreamRecord,
  Subscriber,
  TelpherError,
  Topic,
  TopicMessage,
  Topics,
  codes,
  open,
  version,
}
