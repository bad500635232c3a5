// SPDX-License-Identifier: Apache-2.0

//go:build newest

package main

import "github.com/twmb/franz-go/pkg/kgo"

func consumerProtocol() []kgo.Opt {
	return []kgo.Opt{kgo.ServerSideBalancer()}
}
