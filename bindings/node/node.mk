# Node: the addon, its checks and its tests. Included by the Makefile at the top.

NODE_DIR := bindings/node
NODE_BIN := $(NODE_DIR)/node_modules/.bin
NODE_TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
NODE_FILES := index.cjs index.mjs index.d.ts batches.d.ts errors.d.ts gathers.d.ts streams.d.ts topics.d.ts \
	package.json lib test

.PHONY: node-build node-addon node-test node-check node-format node-clean

node-build: $(NODE_DIR)/node_modules/.stamp node-addon

$(NODE_DIR)/node_modules/.stamp: $(NODE_DIR)/package.json
	cd $(NODE_DIR) && npm install --no-package-lock --no-fund --no-audit --loglevel=error
	touch $@

node-addon:
	cargo build --release -p telpher-node
	install -m 755 $(NODE_TARGET_DIR)/release/libtelpher_node.so $(NODE_DIR)/telpher.node

node-test: node-build
	node --test $(wildcard $(NODE_DIR)/test/*.test.mjs $(NODE_DIR)/test/*.test.cjs)

node-check: node-build
	cd $(NODE_DIR) && node_modules/.bin/prettier --check $(NODE_FILES)
	$(NODE_BIN)/tsc -p $(NODE_DIR)/test/types/tsconfig.json
	node $(NODE_DIR)/test/types/declared.mjs

node-format: $(NODE_DIR)/node_modules/.stamp
	cd $(NODE_DIR) && node_modules/.bin/prettier --write $(NODE_FILES)

node-clean:
	rm -rf $(NODE_DIR)/node_modules $(NODE_DIR)/telpher.node
