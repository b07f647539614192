import telpher from './index.cjs'

export const {
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
} = telpher
export default telpher
