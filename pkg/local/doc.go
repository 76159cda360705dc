// Package local runs Kafka and ClickHouse on this machine, for "cairn up" and for tests:
//
//   - [StartClickHouse] runs the ClickHouse engine (an npm package) in a child process of our own binary,
//   - [StartKafka] runs a real Kafka broker in KRaft mode on Java, from Maven's jars,
//   - [StartEmbedded] runs franz-go's kfake in this process, kept on disk.
//
// Everything listens on 127.0.0.1 only. The children die with this process, however it ends.
// [InstallEngine] and [InstallKafka] fetch what the first two need into the user's cache folder;
// the Start functions never touch the network.
package local
