import telpher from './index.cjs'

export const {
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
} = telpher
export default telpher
