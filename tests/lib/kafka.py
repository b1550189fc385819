"""A Kafka producer and administrator for tests: any bytes as key, value and headers.

Through librdkafka's C interface by ctypes, because that library is here anyway. Nothing is published half: flush() raises
when a broker did not acknowledge. Also a command, for scenarios in shell:

    kafka.py BROKERS grow TOPIC PARTITIONS                      more partitions for a topic that is there
    kafka.py BROKERS delete-records TOPIC PARTITION OFFSET      what retention does: nothing below OFFSET is left
    kafka.py BROKERS delete-topic TOPIC
    kafka.py BROKERS allow PRINCIPAL topic|group NAME OPERATION     an ACL; NAME* is a prefix
    kafka.py BROKERS deny PRINCIPAL topic|group NAME OPERATION
    kafka.py BROKERS forget PRINCIPAL topic|group NAME OPERATION    takes what was denied or allowed away again
"""
import ctypes
import sys

# Kinds of arguments of rd_kafka_produceva(), in the order of rd_kafka_vtype_t.
TOPIC, PARTITION, VALUE, KEY, MSGFLAGS, TIMESTAMP, HEADER = 1, 3, 4, 5, 7, 8, 9
COPY = 2
PRODUCER = 0
OK, ALREADY_EXISTS = 0, 36
# Of rd_kafka_ResourceType_t, rd_kafka_ResourcePatternType_t, rd_kafka_AclOperation_t and rd_kafka_AclPermissionType_t.
RESOURCES, LITERAL, PREFIXED, ANY, DENY, ALLOW = {'topic': 2, 'group': 3}, 3, 4, 1, 2, 3
OPERATIONS = {'ALL': 2, 'READ': 3, 'WRITE': 4, 'DESCRIBE': 8}


class Memory(ctypes.Structure):
    _fields_ = [('ptr', ctypes.c_char_p), ('size', ctypes.c_size_t)]


class Header(ctypes.Structure):
    _fields_ = [('name', ctypes.c_char_p), ('val', ctypes.c_char_p), ('size', ctypes.c_ssize_t)]


class Union(ctypes.Union):
    _fields_ = [('cstr', ctypes.c_char_p), ('i', ctypes.c_int), ('i32', ctypes.c_int32), ('i64', ctypes.c_int64),
                ('mem', Memory), ('header', Header), ('pad', ctypes.c_char * 64)]


class Argument(ctypes.Structure):
    _fields_ = [('vtype', ctypes.c_int), ('u', Union)]


def load():
    library = ctypes.CDLL('librdkafka.so.1')
    for name, result in (('conf_new', ctypes.c_void_p), ('new', ctypes.c_void_p), ('produceva', ctypes.c_void_p),
                         ('error_string', ctypes.c_char_p), ('init_transactions', ctypes.c_void_p),
                         ('begin_transaction', ctypes.c_void_p), ('commit_transaction', ctypes.c_void_p),
                         ('abort_transaction', ctypes.c_void_p), ('err2str', ctypes.c_char_p), ('queue_new', ctypes.c_void_p),
                         ('queue_poll', ctypes.c_void_p), ('NewTopic_new', ctypes.c_void_p),
                         ('NewPartitions_new', ctypes.c_void_p), ('event_error_string', ctypes.c_char_p),
                         ('DeleteTopic_new', ctypes.c_void_p), ('event_DeleteTopics_result', ctypes.c_void_p),
                         ('DeleteTopics_result_topics', ctypes.POINTER(ctypes.c_void_p)),
                         ('AclBinding_new', ctypes.c_void_p), ('AclBindingFilter_new', ctypes.c_void_p),
                         ('DeleteRecords_new', ctypes.c_void_p), ('topic_partition_list_new', ctypes.c_void_p),
                         ('topic_partition_list_add', ctypes.c_void_p),
                         ('event_CreateTopics_result', ctypes.c_void_p),
                         ('event_CreatePartitions_result', ctypes.c_void_p),
                         ('CreateTopics_result_topics', ctypes.POINTER(ctypes.c_void_p)),
                         ('CreatePartitions_result_topics', ctypes.POINTER(ctypes.c_void_p)),
                         ('topic_result_error_string', ctypes.c_char_p)):
        getattr(library, 'rd_kafka_' + name).restype = result
    return library


class Kafka:
    def __init__(self, brokers, transactional=None):
        """transactional: an id; then begin(), and commit() or abort() around what is sent."""
        self.rd = load()
        conf = ctypes.c_void_p(self.rd.rd_kafka_conf_new())
        text = ctypes.create_string_buffer(512)
        self.failed, self.delivered = [], 0
        self.on_delivery = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(self._delivered)
        self.rd.rd_kafka_conf_set_dr_msg_cb(conf, self.on_delivery)
        for name, value in (('bootstrap.servers', brokers), ('linger.ms', '5'), ('acks', 'all'), ('log_level', '3'),
                            ('enable.idempotence', 'true'), ('max.in.flight', '1'), ('partitioner', 'murmur2_random'),
                            *((('transactional.id', transactional), ('transaction.timeout.ms', '600000')) if transactional else ())):
            if self.rd.rd_kafka_conf_set(conf, name.encode(), value.encode(), text, ctypes.c_size_t(512)) != 0:
                raise RuntimeError(text.value.decode())
        self.rk = ctypes.c_void_p(self.rd.rd_kafka_new(PRODUCER, conf, text, ctypes.c_size_t(512)))
        if not self.rk:
            raise RuntimeError(text.value.decode())

        if transactional:
            self._done(self.rd.rd_kafka_init_transactions(self.rk, 30000))

    def _done(self, error):
        if error:
            raise RuntimeError(self.rd.rd_kafka_error_string(ctypes.c_void_p(error)).decode())

    def begin(self):
        self._done(self.rd.rd_kafka_begin_transaction(self.rk))

    def commit(self):
        self._done(self.rd.rd_kafka_commit_transaction(self.rk, 30000))

    def abort(self):
        self._done(self.rd.rd_kafka_abort_transaction(self.rk, 30000))

    def _delivered(self, _rk, message, _opaque):
        error = ctypes.cast(message, ctypes.POINTER(ctypes.c_int))[0]  # the first member of rd_kafka_message_t
        if error:
            self.failed.append(self.rd.rd_kafka_err2str(error).decode())
        else:
            self.delivered += 1

    def send(self, topic, key=None, value=None, headers=(), partition=-1, timestamp=None):
        """key, value and header values are bytes or None; timestamp in ms."""
        arguments = [Argument(TOPIC), Argument(PARTITION), Argument(MSGFLAGS), Argument(VALUE), Argument(KEY)]
        arguments[0].u.cstr = topic.encode()
        arguments[1].u.i32 = partition
        arguments[2].u.i = COPY
        arguments[3].u.mem = Memory(value, len(value or b''))
        arguments[4].u.mem = Memory(key, len(key or b''))
        if timestamp is not None:
            arguments.append(Argument(TIMESTAMP))
            arguments[-1].u.i64 = timestamp
        for name, content in headers:
            arguments.append(Argument(HEADER))
            arguments[-1].u.header = Header(name, content, len(content or b''))
        error = self.rd.rd_kafka_produceva(self.rk, (Argument * len(arguments))(*arguments),
                                           ctypes.c_size_t(len(arguments)))
        self._done(error)
        self.rd.rd_kafka_poll(self.rk, 0)

    def flush(self):
        if self.rd.rd_kafka_flush(self.rk, 30000) != 0 or self.failed:
            raise RuntimeError('not delivered: %s' % (self.failed[:3] or 'time is over'))

    def _answer(self, function, request):
        queue = ctypes.c_void_p(self.rd.rd_kafka_queue_new(self.rk))
        function(self.rk, (ctypes.c_void_p * 1)(request), ctypes.c_size_t(1), None, queue)
        event = ctypes.c_void_p(self.rd.rd_kafka_queue_poll(queue, 30000))
        if not event:
            raise RuntimeError('the broker did not answer')
        if self.rd.rd_kafka_event_error(event):
            raise RuntimeError(self.rd.rd_kafka_event_error_string(event).decode())
        return event

    def _ask(self, function, request, event_result, result_topics):
        count = ctypes.c_size_t()
        answer = ctypes.c_void_p(event_result(self._answer(function, request)))
        topic = ctypes.c_void_p(result_topics(answer, ctypes.byref(count))[0])
        code = self.rd.rd_kafka_topic_result_error(topic)
        if code not in (OK, ALREADY_EXISTS):
            raise RuntimeError((self.rd.rd_kafka_topic_result_error_string(topic) or b'').decode())

    def create(self, topic, partitions, **settings):
        """`settings`: of the topic, with _ for each dot."""
        text = ctypes.create_string_buffer(512)
        new = self.rd.rd_kafka_NewTopic_new(topic.encode(), partitions, 1, text, ctypes.c_size_t(512))
        for name, setting in settings.items():
            self.rd.rd_kafka_NewTopic_set_config(ctypes.c_void_p(new), name.replace('_', '.').encode(), str(setting).encode())
        self._ask(self.rd.rd_kafka_CreateTopics, new, self.rd.rd_kafka_event_CreateTopics_result,
                  self.rd.rd_kafka_CreateTopics_result_topics)

    def grow(self, topic, partitions):
        text = ctypes.create_string_buffer(512)
        new = self.rd.rd_kafka_NewPartitions_new(topic.encode(), ctypes.c_size_t(partitions), text, ctypes.c_size_t(512))
        self._ask(self.rd.rd_kafka_CreatePartitions, new, self.rd.rd_kafka_event_CreatePartitions_result,
                  self.rd.rd_kafka_CreatePartitions_result_topics)

    def delete_topic(self, topic):
        self._ask(self.rd.rd_kafka_DeleteTopics, self.rd.rd_kafka_DeleteTopic_new(topic.encode()),
                  self.rd.rd_kafka_event_DeleteTopics_result, self.rd.rd_kafka_DeleteTopics_result_topics)

    def delete_records(self, topic, partition, offset):
        ends = ctypes.c_void_p(self.rd.rd_kafka_topic_partition_list_new(1))
        self.rd.rd_kafka_topic_partition_list_add(ends, topic.encode(), partition)
        self.rd.rd_kafka_topic_partition_list_set_offset(ends, topic.encode(), partition, ctypes.c_int64(offset))
        self._answer(self.rd.rd_kafka_DeleteRecords, self.rd.rd_kafka_DeleteRecords_new(ends))

    def _acl(self, make, principal, resource, name, operation, permission):
        text = ctypes.create_string_buffer(512)
        acl = make(RESOURCES[resource], name.rstrip('*').encode(), PREFIXED if name.endswith('*') else LITERAL, principal.encode(), b'*',
                   OPERATIONS[operation], permission, text, ctypes.c_size_t(512))
        if not acl:
            raise RuntimeError(text.value.decode())
        return acl

    def allow(self, *acl):
        self._answer(self.rd.rd_kafka_CreateAcls, self._acl(self.rd.rd_kafka_AclBinding_new, *acl, ALLOW))

    def deny(self, *acl):
        self._answer(self.rd.rd_kafka_CreateAcls, self._acl(self.rd.rd_kafka_AclBinding_new, *acl, DENY))

    def forget(self, *acl):
        self._answer(self.rd.rd_kafka_DeleteAcls, self._acl(self.rd.rd_kafka_AclBindingFilter_new, *acl, ANY))


COMMANDS = {'grow': (Kafka.grow, [int]), 'delete-records': (Kafka.delete_records, [int, int]), 'delete-topic': (Kafka.delete_topic, []),
            'allow': (Kafka.allow, [str, str, str]), 'deny': (Kafka.deny, [str, str, str]), 'forget': (Kafka.forget, [str, str, str])}


def main():
    act, types = COMMANDS.get(sys.argv[2] if len(sys.argv) > 2 else '', (None, []))
    if not act or len(sys.argv) != 4 + len(types):
        sys.exit(__doc__)
    act(Kafka(sys.argv[1]), sys.argv[3], *[read(word) for read, word in zip(types, sys.argv[4:])])


if __name__ == '__main__':
    main()
