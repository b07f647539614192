'use strict'

// Loads the addon that lies beside this directory.

const path = require('node:path')

const file = path.join(__dirname, '..', 'telpher.node')

function load() {
  try {
    return require(file)
  } catch (cause) {
    const text = `telpher's addon cannot be loaded from ${file}; 'make node-build' makes it`
    throw new Error(text, { cause })
  }
}

module.exports = load()
