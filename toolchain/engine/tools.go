//go:build tools

// Package engine pins the Pulumi CLI: what is built is the imported command itself.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
