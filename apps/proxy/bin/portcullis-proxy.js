#!/usr/bin/env node
import '../dist/portcullis-proxy.js';
