// Two clients in Go, which share no code with the others or with each other: both produce, and consume as a group that goes
// on where it was.
//
//	go run . franz 127.0.0.1:19092
//	go run . segmentio 127.0.0.1:19092
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	segmentio "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	count    = 200
	patience = time.Minute
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	name := fmt.Sprintf("%s-%d", os.Args[1], time.Now().UnixNano())
	create(ctx, os.Args[2], name)
	client := map[string]func(context.Context, string, string) error{"franz": franz, "segmentio": kafkaGo}[os.Args[1]]
	if err := client(ctx, os.Args[2], name); err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	fmt.Printf("%s: ok\n", os.Args[1])
}

func create(ctx context.Context, address, topic string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 3, 1, nil, topic); err != nil {
		log.Fatal(err)
	}
	if groups, err := admin.ListGroups(ctx); err != nil {
		log.Fatal(groups, err)
	}
	if configs, err := admin.DescribeTopicConfigs(ctx, topic); err != nil || configs[0].Err != nil {
		log.Fatal(configs, err)
	}
}

func franz(ctx context.Context, address, topic string) error {
	// More in one request than the broker takes in one batch.
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ProducerLinger(50*time.Millisecond), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for number := range count {
		value := make([]byte, 50_000)
		copy(value, fmt.Sprintf("first-%d", number))
		records = append(records, &kgo.Record{Key: []byte(fmt.Sprint(number)), Value: value})
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	if err := franzConsume(ctx, address, topic, count); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("second")).FirstErr(); err != nil {
		return err
	}
	return franzConsume(ctx, address, topic, 1)
}

func franzConsume(ctx context.Context, address, topic string, want int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	for got := 0; got < want; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d of %d records: %w", got, want, err)
		}
		got += fetches.NumRecords()
	}
	return client.CommitUncommittedOffsets(ctx)
}

func kafkaGo(ctx context.Context, address, topic string) error {
	writer := &segmentio.Writer{Addr: segmentio.TCP(address), Topic: topic, RequiredAcks: segmentio.RequireAll, BatchTimeout: 50 * time.Millisecond}
	defer writer.Close()
	var messages []segmentio.Message
	for number := range count {
		messages = append(messages, segmentio.Message{Key: []byte(fmt.Sprint(number)), Value: []byte(fmt.Sprintf("first-%d", number))})
	}
	if err := writer.WriteMessages(ctx, messages...); err != nil {
		return err
	}
	if err := kafkaGoConsume(ctx, address, topic, count); err != nil {
		return err
	}
	if err := writer.WriteMessages(ctx, segmentio.Message{Value: []byte("second")}); err != nil {
		return err
	}
	return kafkaGoConsume(ctx, address, topic, 1)
}

func kafkaGoConsume(ctx context.Context, address, topic string, want int) error {
	reader := segmentio.NewReader(segmentio.ReaderConfig{Brokers: []string{address}, Topic: topic, GroupID: topic, StartOffset: segmentio.FirstOffset,
		MaxWait: 200 * time.Millisecond})
	defer reader.Close()
	for got := range want {
		if _, err := reader.ReadMessage(ctx); err != nil {
			return fmt.Errorf("%d of %d records: %w", got, want, err)
		}
	}
	return nil
}
