import telpher from './index.cjs'

export const {
  Batch,
  Consumer,
  Hub,
  Job,
  Queue,
  Receipt,
  Request,
  Service,
  TelpherError,
  codes,
  open,
  version,
} = telpher
export default telpher
