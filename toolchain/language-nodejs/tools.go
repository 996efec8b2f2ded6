//go:build tools

// Package languagenodejs pins Pulumi's Node.js language host: what is built is the imported command itself.
package languagenodejs

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
