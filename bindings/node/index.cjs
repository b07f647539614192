'use strict'

const { TelpherError, codes } = require('./lib/error.cjs')
const { Batch } = require('./lib/batch.cjs')
const { Consumer } = require('./lib/consumer.cjs')
const { Gather } = require('./lib/gather.cjs')
const { Hub } = require('./lib/hub.cjs')
const { Job } = require('./lib/job.cjs')
const { Receipt, Request } = require('./lib/message.cjs')
const { Queue } = require('./lib/queue.cjs')
const { Service } = require('./lib/service.cjs')
const { Subscriber, TopicMessage } = require('./lib/subscriber.cjs')
const { Topic } = require('./lib/topic.cjs')
const { version } = require('./package.json')

const { open } = Hub

module.exports = {
  Batch,
  Consumer,
  Gather,
  Hub,
  Job,
  Queue,
  Receipt,
  Request,
  Service,
  Subscriber,
  TelpherError,
  Topic,
  TopicMessage,
  codes,
  open,
  version,
}
