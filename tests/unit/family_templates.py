"""Small chat templates, one per dialect, written for these tests in the wire format that each family documents.

They hold what matters here: how calls, results and reasoning are rendered. docs/dialects.md says which public templates
the same checks were made with. Where no template of a family was at hand (HyperCLOVA X SEED, K2 Horizon, LongCat,
MiniCPM 3, openPangu, Step-Audio 2), its form was compared with the parsers that others publish for it, and their tests:
vLLM's and SGLang's, oMLX's, yaicli's, BFCL's.
"""

# ruff: noqa: RUF001 - DeepSeek's tokens are written with a fullwidth bar

from __future__ import annotations

_THINKING_MESSAGE = """\
{%- if m.reasoning_content %}{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}
{{- m.content }}"""


def _chatml(taught: str, call: str) -> str:
    """ChatML with tools; results in the user's turn."""
    return f"""\
{{%- if tools %}}<|im_start|>system
<tools>{{% for tool in tools %}}{{{{ tool | tojson }}}}{{% endfor %}}</tools>
{taught}<|im_end|>
{{% endif %}}
{{%- for m in messages %}}
{{%- if m.role == 'tool' %}}{{{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}}}
{{%- elif m.role == 'assistant' %}}{{{{- '<|im_start|>assistant\\n' }}}}{_THINKING_MESSAGE}
{{%- for c in m.tool_calls or () %}}{call}{{% endfor %}}
{{%- else %}}{{{{- '<|im_start|>' + m.role + '\\n' + m.content }}}}
{{%- endif %}}{{{{- '<|im_end|>\\n' }}}}
{{%- endfor %}}
{{%- if add_generation_prompt %}}{{{{- '<|im_start|>assistant\\n' }}}}{{% endif %}}"""


HERMES = _chatml(
    'Write <tool_call>{"name": ..., "arguments": ...}</tool_call>',
    """{{- '\\n<tool_call>\\n{"name": "' + c.function.name + '", "arguments": ' }}{{ c.function.arguments | tojson }}
{{- '}\\n</tool_call>' }}""",
)

QWEN3_CODER = _chatml(
    "Write <tool_call>\n<function=name>\n<parameter=key>\nvalue\n</parameter>\n</function>\n</tool_call>",
    """{{- '\\n<tool_call>\\n<function=' + c.function.name + '>\\n' }}
{%- for key, value in c.function.arguments.items() %}{{- '<parameter=' + key + '>\\n' }}
{{- value | tojson if value is mapping or (value is sequence and value is not string) else value | string }}
{{- '\\n</parameter>\\n' }}{% endfor %}{{- '</function>\\n</tool_call>' }}""",
)

GLM4 = """\
{%- if tools %}<|system|>
{% for tool in tools %}{{ tool | tojson(ensure_ascii=False) }}
{% endfor %}Write <tool_call>name
<arg_key>key</arg_key>
<arg_value>value</arg_value>
</tool_call>
{%- endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|observation|>{{- '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}
{%- elif m.role == 'assistant' %}<|assistant|>{{- '\\n<think>' + (m.reasoning_content or '') + '</think>' }}
{%- if m.content %}{{- '\\n' + m.content }}{% endif %}
{%- for c in m.tool_calls or () %}{{- '\\n<tool_call>' + c.function.name + '\\n' }}
{%- for key, value in c.function.arguments.items() %}{{- '<arg_key>' + key + '</arg_key>\\n<arg_value>' }}
{{- value if value is string else value | tojson(ensure_ascii=False) }}{{- '</arg_value>\\n' }}{% endfor %}
{{- '</tool_call>' }}{% endfor %}
{%- else %}{{- '<|' + m.role + '|>\\n' + m.content }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""

_GEMMA_VALUE = """\
{%- macro written(v) %}
{%- if v is none %}None{% elif v is boolean %}{{ 'true' if v else 'false' }}
{%- elif v is string %}{{ '<|"|>' + v + '<|"|>' }}
{%- elif v is mapping %}{{ '{' }}{% for k, w in v | dictsort %}{{ k }}:{{ written(w) }}{{ ',' if not loop.last }}
{%- endfor %}{{ '}' }}
{%- elif v is sequence %}[{% for w in v %}{{ written(w) }}{{ ',' if not loop.last }}{% endfor %}]
{%- else %}{{ v }}{% endif %}
{%- endmacro %}"""

GEMMA4 = (
    _GEMMA_VALUE
    + """\
{{- bos_token }}
{%- if tools %}<|turn>system
{% for t in tools %}<|tool>declaration:{{ t.function.name }}<tool|>{% endfor %}<turn|>
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|tool_response>response:{{ m.name }}{value:{{ written(m.content) }}}<tool_response|>
{%- elif m.role == 'assistant' %}<|turn>model
{% if m.reasoning_content %}<|channel>thought
{{ m.reasoning_content }}<channel|>{% endif %}{{ m.content }}
{%- for c in m.tool_calls or () %}<|tool_call>call:{{ c.function.name }}{{ written(c.function.arguments) }}<tool_call|>
{%- endfor %}
{%- else %}<|turn>{{ m.role }}
{{ m.content }}<turn|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|turn>model
{% endif %}"""
)

_MISTRAL_TURNS = """\
{{- bos_token }}
{%- if messages[0].role == 'system' %}[SYSTEM_PROMPT]{{ messages[0].content }}[/SYSTEM_PROMPT]
{%- set messages = messages[1:] %}{% endif %}
{%- if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{%- for m in messages %}
{%- if m.role == 'user' %}[INST]{{ m.content }}[/INST]
{%- elif m.role == 'tool' %}
{%- if m.tool_call_id | length != 9 %}{{ raise_exception('nine letters and digits') }}{% endif -%}
[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]
{%- else %}"""

MISTRAL = (
    _MISTRAL_TURNS
    + """\
{%- if m.content is string %}{{ m.content }}
{%- else %}{% for b in m.content %}
{{- '[THINK]' + b.thinking + '[/THINK]' if b.type == 'thinking' else b.text }}{% endfor %}{% endif %}
{%- for c in m.tool_calls or () -%}
{%- if c.id | length != 9 %}{{ raise_exception('nine letters and digits') }}{% endif -%}
[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}{% endfor %}{{ eos_token }}
{%- endif %}
{%- endfor %}"""
)

MISTRAL_JSON = (
    _MISTRAL_TURNS
    + """\
{{- m.content if m.content is string else '' }}
{%- if m.tool_calls %}[TOOL_CALLS][
{%- for c in m.tool_calls -%}
{%- if c.id | length != 9 %}{{ raise_exception('nine letters and digits') }}{% endif -%}
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, "id": "{{ c.id }}"}
{{- ', ' if not loop.last }}{% endfor %}]{% endif %}{{ eos_token }}
{%- endif %}
{%- endfor %}"""
)

LLAMA3 = """\
{{- bos_token }}
{%- if tools %}<|start_header_id|>system<|end_header_id|>

Environment: ipython
Respond in the format {"name": ..., "parameters": ...}.
{%- for t in tools %}{{ t | tojson(indent=4) }}{% endfor %}<|eot_id|>
{%- endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|start_header_id|>ipython<|end_header_id|>

{{ m.content }}<|eot_id|>
{%- elif m.tool_calls %}
{%- if m.tool_calls | length != 1 %}{{ raise_exception('one call at once') }}{% endif %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + m.tool_calls[0].function.name + '", ' }}
{{- '"parameters": ' }}{{ m.tool_calls[0].function.arguments | tojson }}{{ '}' }}<|eot_id|>
{%- else %}{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content }}<|eot_id|>
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""


def _deepseek(taught: str, calls: str, result: str) -> str:
    return f"""\
{{{{- bos_token }}}}
{{%- if tools %}}{{% for t in tools %}}{{{{ t.function | tojson }}}}
{{% endfor %}}{taught}{{% endif %}}
{{%- for m in messages %}}
{{%- if m.role == 'user' %}}<｜User｜>{{{{ m.content }}}}<｜Assistant｜>
{{%- elif m.role == 'system' %}}{{{{ m.content }}}}
{{%- elif m.role == 'tool' %}}{result}
{{%- else %}}{{% if m.reasoning_content %}}<think>{{{{ m.reasoning_content }}}}</think>{{% endif %}}{{{{ m.content }}}}
{{%- if m.tool_calls %}}{calls}{{% endif %}}<｜end▁of▁sentence｜>
{{%- endif %}}
{{%- endfor %}}"""


_RESULTS = "<｜tool▁output▁begin｜>{{ m.content }}<｜tool▁output▁end｜>"

DEEPSEEK_V31 = _deepseek(
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>name<｜tool▁sep｜>arguments<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    """<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}<｜tool▁call▁begin｜>{{ c.function.name }}<｜tool▁sep｜>
{{- c.function.arguments | tojson }}<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜>""",
    _RESULTS,
)

DEEPSEEK_V3 = _deepseek(
    "",
    """<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}<｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ c.function.name }}
{{- '\\n```json\\n' + c.function.arguments + '\\n```<｜tool▁call▁end｜>' }}{{- '\\n' if not loop.last }}{% endfor -%}
<｜tool▁calls▁end｜>""",
    _RESULTS,
)
"""Takes arguments as text, as DeepSeek's own templates for V3 and R1 do."""

_DSML_CALLS = """\
{{- '\\n\\n<｜DSML｜function_calls>\\n' }}{% for c in m.tool_calls %}
{{- '<｜DSML｜invoke name="' + c.function.name + '">\\n' }}
{%- for key, value in c.function.arguments.items() %}
{{- '<｜DSML｜parameter name="' + key + '" string="' + ('true' if value is string else 'false') + '">' }}
{{- value if value is string else value | tojson }}{{- '</｜DSML｜parameter>\\n' }}{% endfor %}
{{- '</｜DSML｜invoke>\\n' }}{% endfor %}{{- '</｜DSML｜function_calls>' }}"""

DEEPSEEK_V32 = _deepseek("", _DSML_CALLS, "<function_results><result>{{ m.content }}</result></function_results>")

DEEPSEEK_V4 = _deepseek(
    "", _DSML_CALLS.replace("function_calls", "tool_calls"), "<tool_result>{{ m.content }}</tool_result>"
)

HARMONY = """\
{%- if tools %}<|start|>developer<|message|># Tools
{% for t in tools %}type {{ t.function.name }} = any;
{% endfor %}<|end|>{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|start|>functions.{{ m.name }} to=assistant<|channel|>commentary<|message|>
{{- m.content | tojson }}<|end|>
{%- elif m.tool_calls %}
{%- if m.thinking and m.content %}{{ raise_exception('one of the two') }}{% endif %}
{%- if m.thinking or m.content %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking or m.content }}<|end|>
{%- endif %}<|start|>assistant to=functions.{{ m.tool_calls[0].function.name }}<|channel|>commentary json<|message|>
{{- m.tool_calls[0].function.arguments | tojson }}<|call|>
{%- elif m.role == 'assistant' %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>
{%- else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|start|>assistant{% endif %}"""

KIMI_K2 = """\
{%- set count = namespace(value=0) %}
{%- if tools %}<|im_system|>tool_declare<|im_middle|>{{ tools | tojson }}<|im_end|>{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|im_system|>{{ m.name }}<|im_middle|>## Return of {{ m.tool_call_id }}
{{ m.content }}
{%- elif m.role == 'assistant' %}<|im_assistant|>assistant<|im_middle|>
{%- if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}
{%- if m.tool_calls %}<|tool_calls_section_begin|>
{%- for c in m.tool_calls %}<|tool_call_begin|>functions.{{ c.function.name }}:{{ count.value }}
{%- set count.value = count.value + 1 %}<|tool_call_argument_begin|>{{ c.function.arguments | tojson }}<|tool_call_end|>
{%- endfor %}<|tool_calls_section_end|>{% endif %}
{%- else %}<|im_{{ m.role }}|>{{ m.role }}<|im_middle|>{{ m.content }}
{%- endif %}<|im_end|>
{%- endfor %}
{%- if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}"""

MINIMAX_M2 = """\
{%- if tools %}]~!b[]~b]system
{% for t in tools %}<tool>{{ t.function | tojson(ensure_ascii=False) }}</tool>
{% endfor %}[e~[
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}]~b]tool{{- '\\n<response>' + m.content + '</response>' }}[e~[
{% elif m.role == 'assistant' %}{{- ']~b]ai\\n' }}
{%- if m.reasoning_content %}{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}{{ m.content }}
{%- if m.tool_calls %}{{- '\\n<minimax:tool_call>\\n' }}{% for c in m.tool_calls %}
{{- '<invoke name="' + c.function.name + '">\\n' }}{% for key, value in c.function.arguments.items() %}
{{- '<parameter name="' + key + '">' }}{{- value if value is string else value | tojson(ensure_ascii=False) }}
{{- '</parameter>\\n' }}{% endfor %}{{- '</invoke>\\n' }}{% endfor %}</minimax:tool_call>{% endif %}[e~[
{% else %}]~b]{{ m.role }}
{{ m.content }}[e~[
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- ']~b]ai\\n<think>\\n' }}{% endif %}"""

GRANITE = """\
{%- if tools %}<|start_of_role|>available_tools<|end_of_role|>{{ tools | tojson(indent=4) }}
Respond only with <|tool_call|> followed by a JSON list of tools used.<|end_of_text|>
{% endif %}
{%- for m in messages %}{{ '<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content + '<|end_of_text|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"""
"""Shows no structured calls, as Granite 3.3's does not."""

PYTHONIC = """\
{%- if tools %}<|header_start|>system<|header_end|>

Use exact format: [func_name1(param1=value1, param2=value2), func_name2(...)]
{{ tools | tojson(indent=4) }}<|eot|>{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|header_start|>ipython<|header_end|>

{{ m.content | tojson }}<|eot|>
{%- elif m.tool_calls %}<|header_start|>assistant<|header_end|>

[{% for c in m.tool_calls %}{{ c.function.name }}(
{%- for key, value in c.function.arguments.items() %}{{ key }}={{ value | tojson }}{{ ', ' if not loop.last }}
{%- endfor %}){{ ', ' if not loop.last }}{% endfor %}]<|eot|>
{%- else %}<|header_start|>{{ m.role }}<|header_end|>

{{ m.content }}<|eot|>
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|header_start|>assistant<|header_end|>

{% endif %}"""

_GEMMA3 = """\
{{- bos_token }}
{%- for m in messages %}
{%- if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}
{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + '\\n' }}
{%- if loop.first and tools %}TAUGHT{{ tools | tojson }}
{% endif %}
{%- if m.role == 'tool' %}```tool_output
{{ m.content }}
```{% else %}{{ m.content }}{% endif %}CALLS<end_of_turn>
{% endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{% endif %}"""

GEMMA3 = _GEMMA3.replace("TAUGHT", "Write Python between ```tool_code and ```.").replace(
    "CALLS",
    """{% if m.tool_calls %}
```tool_code
{% for c in m.tool_calls %}{{ c.function.name }}(
{%- for key, value in c.function.arguments.items() %}{{ key }}={{ value | tojson }}{{ ', ' if not loop.last }}
{%- endfor %})
{% endfor %}```{% endif %}""",
)

GEMMA3_JSON = _GEMMA3.replace("TAUGHT", 'Write {"name": ..., "parameters": ...}.').replace(
    "CALLS",
    """{% for c in m.tool_calls or () %}{{ '\\n{"name": "' }}{{ c.function.name }}", "parameters": {{ '' }}
{{- c.function.arguments | tojson }}}
{%- endfor %}""",
)

GEMMA3_UNTAUGHT = _GEMMA3.replace(
    "{%- if loop.first and tools %}TAUGHT{{ tools | tojson }}\n{% endif %}\n", ""
).replace("CALLS", "")
"""As Gemma 3 comes: it knows no tools."""


def _plain(calls: str, *, tools: str = "") -> str:
    """Turns in markers of no family, with calls as `calls` writes those of `m.tool_calls`."""
    return f"""\
{{%- if tools %}}<|system|>{tools}{{% for t in tools %}}{{{{ t | tojson }}}}
{{% endfor %}}<|end|>{{% endif %}}
{{%- for m in messages %}}
{{%- if m.role == 'tool' %}}<|tool_result|>{{{{- m.content }}}}<|end|>
{{%- elif m.role == 'assistant' %}}<|assistant|>{{{{- m.content or '' }}}}
{{%- if m.tool_calls %}}{calls}{{% endif %}}<|end|>
{{%- else %}}<|{{{{ m.role }}}}|>{{{{- m.content }}}}<|end|>
{{%- endif %}}{{% endfor %}}
{{%- if add_generation_prompt %}}<|assistant|>{{% endif %}}"""


def _each(call: str, between: str = "") -> str:
    """All calls of a reply, with `NAME` and `ARGS` in each."""
    call = call.replace("NAME", "{{ c.function.name }}").replace("ARGS", "{{ c.function.arguments | tojson }}")
    call = call.replace("ID", "{{ c.id }}").replace("INDEX", "{{ loop.index }}")
    parted = f"{{{{ '{between}' if not loop.last else '' }}}}" if between else ""
    return f"{{% for c in m.tool_calls %}}{call}{parted}{{% endfor %}}"


def _elements(call: str, argument: str, value: str = "v if v is string else v | tojson") -> str:
    """All calls of a reply with an element per argument: `ARGS` in a call, `KEY` and `VALUE` in an argument."""
    argument = argument.replace("KEY", "{{ k }}").replace("VALUE", f"{{{{ {value} }}}}")
    pairs = f"{{% for k, v in c.function.arguments.items() %}}{argument}{{% endfor %}}"
    call = call.replace("NAME", "{{ c.function.name }}").replace("ARGS", pairs).replace("INDEX", "{{ loop.index }}")
    return f"{{% for c in m.tool_calls %}}{call}{{% endfor %}}"


_OBJECT = '{"name": "NAME", "arguments": ARGS}'
_PYTHON = (
    "NAME({% for k, v in c.function.arguments.items() %}{{ k }}={{ v if v is boolean else v | tojson }}"
    "{{ ', ' if not loop.last }}{% endfor %})"
)
_AS_PYTHON = "v if v is string else (v | string)"

LFM2 = _plain("", tools="List of tools: <|im_start|>")
FUNCTOOLS = _plain(" functools[" + _each(_OBJECT, ", ") + "]")

DERIVED = {
    "Apertus": _plain("<|tools_prefix|>[" + _each('{"NAME": ARGS}', ", ") + "]<|tools_suffix|>"),
    "Apriel and Hunyuan A13B": _plain("<tool_calls>[" + _each(_OBJECT[:-1] + ', "id": "ID"}', ", ") + "]</tool_calls>"),
    "Jamba": _plain("<tool_calls>[\n    " + _each(_OBJECT, ",\\n    ") + "\n]</tool_calls>"),
    "Hammer": _plain("```\n[" + _each(_OBJECT, ", ") + "]\n```"),
    "openPangu": _plain("[unused11][" + _each(_OBJECT, ", ") + "][unused12]"),
    "HyperCLOVA X SEED": _plain(" -> tool/function_call\n[" + _each(_OBJECT, ", ") + "]"),
    "Step-Audio 2": _plain(_each("<tool_call>function\nNAME\nARGS</tool_call>")),
    "Nemotron Nano 2": _plain("<TOOLCALL>[" + _each(_OBJECT, ", ") + "]</TOOLCALL>"),
    "Command R7B and A": _plain(
        "<|START_ACTION|>[\n    "
        + _each('{"tool_call_id": "INDEX", "tool_name": "NAME", "parameters": ARGS}', ",\\n    ")
        + "\n]<|END_ACTION|>"
    ),
    "Command R+": _plain(
        "\nAction:\n```json\n[\n" + _each('{"tool_name": "NAME", "parameters": ARGS}', ",\\n") + "\n]```\n"
    ),
    "MiniMax M1": _plain("<tool_calls>\n" + _each(_OBJECT + "\n") + "</tool_calls>"),
    "Llama 4 JSON": _plain(_each('{"name": "NAME", "parameters": ARGS}')),
    "xLAM": _plain("[" + _each(_OBJECT, ", ") + "]"),
    "Granite 20B": _plain(_each("<function_call> " + _OBJECT + "\n")),
    "InternLM 2": _plain(_each("<|action_start|><|plugin|>\n" + _OBJECT + "<|action_end|>")),
    "GigaChat 3": _plain(_each("<|message_sep|>\n\nfunction call<|role_sep|>\n" + _OBJECT)),
    "Functionary 3.1": _plain(_each("<function=NAME>ARGS</function>")),
    "Functionary 3.2": _plain(_each(">>>NAME\nARGS")),
    "GLM-4 0414": _plain(_each("NAME\nARGS", "<|assistant|>")),
    "Solar": _plain(
        "<|tool_calls|>"
        + _each("<|tool_call:begin|>ID<|tool_call:name|>NAME<|tool_call:args|>ARGS<|tool_call:end|>")
        + "<|calls|>"
    ),
    "Seed-OSS": _plain(
        _elements(
            "\n<seed:tool_call>\n<function=NAME>\nARGS</function>\n</seed:tool_call>",
            "<parameter=KEY>VALUE</parameter>\n",
            _AS_PYTHON,
        )
    ),
    "Hunyuan 3": _plain(
        "<tool_calls:x>\n"
        + _elements(
            "<tool_call:x>NAME<tool_sep:x>\nARGS</tool_call:x>\n",
            "<arg_key:x>KEY</arg_key:x>\n<arg_value:x>VALUE</arg_value:x>\n",
        )
        + "</tool_calls:x>"
    ),
    "K2 Horizon": _plain(
        "\n<ifm|tool_calls>\n"
        + _elements(
            "<ifm|tool_call>NAME\nARGS</ifm|tool_call>\n",
            "<ifm|arg_key>KEY</ifm|arg_key>\n<ifm|arg_value>VALUE</ifm|arg_value>\n",
        )
        + "</ifm|tool_calls>"
    ),
    "LongCat": _plain(
        _elements(
            "<longcat_tool_call>NAME\nARGS</longcat_tool_call>\n",
            "<longcat_arg_key>KEY</longcat_arg_key>\n<longcat_arg_value>VALUE</longcat_arg_value>\n",
        )
    ),
    "Step-3": _plain(
        "<｜tool_calls_begin｜>"
        + _elements(
            '<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="NAME">ARGS</steptml:invoke>'
            "<｜tool_call_end｜>",
            '<steptml:parameter name="KEY">VALUE</steptml:parameter>',
        )
        + "<｜tool_calls_end｜>"
    ),
    "MiniCPM 5": _plain(
        _elements(
            '<function name="NAME">ARGS</function>\n',
            '<param name="KEY">VALUE</param>',
            "'<![CDATA[' + v + ']]>' if v is string and ('<' in v or '&' in v) else " + _AS_PYTHON,
        )
    ),
    "Kimi K3": _plain(
        "<|open|>tools<|sep|>"
        + _elements(
            '<|open|>call tool="NAME" index="INDEX"<|sep|>ARGS<|close|>call<|sep|>',
            "<|open|>argument key=\"KEY\" type=\"{{ 'string' if v is string else 'boolean' if v is boolean else "
            "'number' if v is number else 'object' }}\"<|sep|>VALUE<|close|>argument<|sep|>",
        )
        + "<|close|>tools<|sep|>"
    ),
    "Muse Glimmer": _plain(
        _elements(
            ' to=NAME<|message|><atem:function_calls>\n<atem:invoke name="NAME">\nARGS</atem:invoke>\n'
            "</atem:function_calls>{{ '<|eom|><|start|>assistant' if not loop.last }}",
            '<atem:parameter name="KEY">VALUE</atem:parameter>\n',
        )
    ),
    "FunctionGemma": _GEMMA_VALUE.replace('<|"|>', "<escape>")
    + _plain(
        "{% for c in m.tool_calls %}<start_function_call>call:{{ c.function.name }}{{ written(c.function.arguments) }}"
        "<end_function_call>{% endfor %}"
    ),
    "OLMo 3": _plain("<function_calls>\n" + _each(_PYTHON, "\\n") + "\n</function_calls>"),
    "LFM2.5": _plain("<|tool_call_start|>[" + _each(_PYTHON, ", ") + "]<|tool_call_end|>"),
    "MiniCPM 3": _plain("<|tool_call_start|>\n```python\n" + _each(_PYTHON, "\\n") + "\n```\n<|tool_call_end|>"),
}
"""By family, templates in forms that no listed dialect has: they are found by rendering."""

TEMPLATES = {
    "hermes": HERMES,
    "qwen3_coder": QWEN3_CODER,
    "glm4": GLM4,
    "gemma4": GEMMA4,
    "mistral": MISTRAL,
    "mistral_json": MISTRAL_JSON,
    "llama3": LLAMA3,
    "deepseek_v31": DEEPSEEK_V31,
    "deepseek_v3": DEEPSEEK_V3,
    "deepseek_v32": DEEPSEEK_V32,
    "deepseek_v4": DEEPSEEK_V4,
    "harmony": HARMONY,
    "kimi_k2": KIMI_K2,
    "minimax_m2": MINIMAX_M2,
    "granite": GRANITE,
    "pythonic": PYTHONIC,
    "lfm2": LFM2,
    "functools": FUNCTOOLS,
    "gemma3": GEMMA3,
    "gemma3_json": GEMMA3_JSON,
}
"""By the dialect that each teaches."""
